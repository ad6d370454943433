"""Which graphs are admitted, what do they take and answer, and what is said of the others?"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from typer.testing import CliRunner

from sluice_dev.modelbench.graphs import columns_graph, matrix_graph
from sluice_dev.modelbench.hostile_graphs import ML, deep, graph, node, numbers, tree, whole
from sluice_model_server import cli
from sluice_model_server.errors import DataError, ModelBroken, RequestError, UnsupportedFormat, UntrustedModel
from sluice_model_server.formats import loader
from sluice_model_server.graphs.asking import ROWS
from sluice_model_server.graphs.attributes import Attributes
from sluice_model_server.graphs.checks import CHECKS
from sluice_model_server.graphs.classes import classes_of
from sluice_model_server.graphs.ensembles import MAX_DEPTH
from sluice_model_server.graphs.intake import Intake
from sluice_model_server.graphs.interface import Input, inputs_of, outputs_of
from sluice_model_server.graphs.missing import handles_missing
from sluice_model_server.graphs.reading import read_graph
from sluice_model_server.graphs.rows import some_rows
from sluice_model_server.graphs.structure import check_structure
from sluice_model_server.graphs.table import ADVICE, OPERATORS
from sluice_model_server.graphs.tensors import array_of, check_tensor
from sluice_model_server.graphs.zipmap import without_zipmap
from sluice_model_server.load import load_model
from sluice_model_server.manifest import Column, Manifest, digest_of
from sluice_model_server.packing import pack, pack_file
from sluice_model_server.predictor import Predictor
from sluice_model_server.refusal import Refusal
from sluice_model_server.v2_request import parse_request
from specs.flights import INPUTS, flights_pipeline, flights_table
from specs.graphs import FLIGHT_COLUMNS
from specs.models import LATE
from specs.models import ROWS as NUMBERS

MAX = 1 << 30
FILE = {"path": "model.onnx", "sha256": "0" * 64, "size": 0}


def manifest(**more) -> Manifest:
    return Manifest.model_validate({"name": "m", "version": "1", "format": "onnx", "files": [FILE]} | more)


def serve(model: onnx.ModelProto, folder: Path, **more) -> Predictor:
    """As the server loads it."""
    content = model.SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    file = FILE | {"sha256": digest_of(content).removeprefix("sha256:"), "size": len(content)}
    (folder / "manifest.json").write_text(manifest(files=[file], **more).model_dump_json(exclude_none=True))
    return load_model(folder, max_bytes=MAX).predictor


# reading


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x80\x05K\x01.", r"skops\.io\.dump"),
        (b"PK\x03\x04....", "is a zip archive"),
        (b"", "without nodes"),
        (b"not a model", "no whole ONNX model"),
        (graph([node("Identity", "x")]).SerializeToString()[:-3], "no whole ONNX model"),
    ],
)
def test_other_files_are_told_what_they_are(content, said):
    with pytest.raises(UnsupportedFormat, match=said):
        read_graph(content, "model.onnx", MAX)


def test_a_file_above_the_limit_is_refused_by_the_setting_that_allows_it():
    with pytest.raises(UntrustedModel, match="SLUICE_MODEL_MAX_MODEL_BYTES"):
        read_graph(graph([node("Identity", "x")]).SerializeToString(), "model.onnx", 10)


# tensors


@pytest.mark.parametrize(
    "tensor",
    [
        numbers("a", [[1.5, 2.0]]),
        whole("a", [1, -2], [2, 1]),
        helper.make_tensor("a", TensorProto.FLOAT, [2], np.array([1, 2], "<f4").tobytes(), raw=True),
        helper.make_tensor("a", TensorProto.STRING, [2], [b"late", b"on time"]),
        helper.make_tensor("a", TensorProto.BOOL, [0], []),
        helper.make_tensor("a", TensorProto.DOUBLE, [], [1.0]),
    ],
)
def test_a_tensor_that_is_what_it_says_is_read_as_onnx_reads_it(tensor):
    check_tensor(tensor)
    expected = onnx.numpy_helper.to_array(tensor)
    read = array_of(tensor)
    assert read.shape == expected.shape
    assert read.tolist() == expected.astype(object).tolist()


def test_a_tensor_outside_the_file_is_refused_wherever_it_lies():
    tensor = TensorProto(name="a", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    with pytest.raises(Refusal, match=r"external data.*save all in one file"):
        check_tensor(tensor)
    tensor = numbers("a", [1.0])
    tensor.external_data.add(key="location", value="*/_ORT_MEM_ADDR_/*")
    with pytest.raises(Refusal, match="external data"):
        check_tensor(tensor)


# structure


def test_every_operator_of_the_table_has_a_reason_and_a_check_that_exists():
    for (_, name), operator in OPERATORS.items():
        assert operator.reason, name
        assert operator.check is None or operator.check in CHECKS, name
        assert any(onnx.defs.has(name, domain=domain) for domain in ("", ML)), name
    assert not ADVICE.keys() & OPERATORS.keys()


@pytest.mark.parametrize(
    ("nodes", "stored", "said"),
    [
        ([node("Reshape", "x s")], [], "asks for 's', which nothing before it makes"),
        ([node("Cast", "x", "s", to=TensorProto.INT64), node("Reshape", "x s")], [], "depends on values"),
        ([node("Identity", "x"), node("Identity", "x")], [], "makes a tensor again"),
        ([node("Identity", "y", "z"), node("Identity", "x")], [], "asks for 'y', which nothing before"),
        ([node("Identity", "x")], [whole("a", [1]), whole("a", [2])], "a tensor stands twice"),
        ([node("Tokenizer", "x", domain="com.microsoft")], [], r"com\.microsoft\.Tokenizer .* skops"),
        ([node("ZipMap", "x", domain=ML, classlabels_int64s=[0, 1])], [], "options={'zipmap': False}"),
        ([node("TreeEnsemble", "x", domain=ML)], [], "'ai.onnx.ml': 3"),
    ],
)
def test_what_is_wrong_with_a_node_is_named(nodes, stored, said):
    with pytest.raises(Refusal, match=said):
        check_structure(graph(nodes, stored=stored))


def test_a_shape_that_follows_from_the_number_of_rows_is_fixed():
    check_structure(graph([node("Shape", "x", "s"), node("Concat", "s s", "t", axis=0), node("ConstantOfShape", "t")]))


@pytest.mark.parametrize(("opset", "ml", "said"), [(8, 3, "release 8 of ai.onnx"), (21, 5, "release 5 of ai.onnx.ml")])
def test_releases_that_were_not_reviewed_are_refused(opset, ml, said):
    with pytest.raises(Refusal, match=said):
        check_structure(graph([node("Identity", "x")], opset=opset, ml=ml))


# trees


def attributes(model: onnx.ModelProto) -> Attributes:
    return Attributes(model.graph.node[0])


def test_a_good_tree_and_a_deep_one_pass():
    from sluice_model_server.graphs.ensembles import check_trees

    for model in (tree(), deep(MAX_DEPTH - 2)):
        check_trees(attributes(model), 4, "target", 1)
    with pytest.raises(Refusal, match="deeper"):
        check_trees(attributes(deep(MAX_DEPTH + 1)), 4, "target", 1)
    with pytest.raises(Refusal, match=r"feature that is outside 0..0"):
        check_trees(attributes(tree()), 1, "target", 1)


def test_a_tree_of_trees_written_in_any_order_passes():
    """Children may stand before their parents, but for the root; ids need not rise."""
    from sluice_model_server.graphs.ensembles import check_trees

    model = tree(
        nodes_nodeids=[9, 4, 7, 2, 5], nodes_truenodeids=[2, 0, 0, 4, 0], nodes_falsenodeids=[5, 0, 0, 7, 0],
        nodes_treeids=[3] * 5, nodes_featureids=[0, 0, 0, 1, 0], nodes_values=[0.5] * 5,
        nodes_modes=["BRANCH_LT", "LEAF", "LEAF", "BRANCH_EQ", "LEAF"],
        target_treeids=[3] * 3, target_nodeids=[4, 7, 5], target_ids=[0] * 3, target_weights=[1.0] * 3,
    )  # fmt: skip
    check_trees(attributes(model), 2, "target", 1)


# inputs and outputs


def with_input(kind) -> onnx.GraphProto:
    model = graph([node("Identity", "x")])
    model.graph.input[0].CopyFrom(kind)
    return model.graph


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4]), "takes 1 rows only"),
        (helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, None]), r"not \[rows, columns\]"),
        (helper.make_tensor_value_info("x", TensorProto.FLOAT, [None]), r"not \[rows, columns\]"),
        (helper.make_tensor_value_info("x", TensorProto.BOOL, [None, 4]), "no float, double, int64 or string"),
        (helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 20_000]), "more than 10000 columns"),
        (helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [None, 4]), "is no tensor"),
    ],
)
def test_inputs_that_are_no_rows_are_refused_with_the_way_to_convert(kind, said):
    with pytest.raises(Refusal, match=said):
        inputs_of(with_input(kind), manifest())


def three_inputs() -> onnx.GraphProto:
    model = graph([node("Identity", "hour")])
    kinds = (("hour", TensorProto.INT64, 1), ("carrier", TensorProto.STRING, 1), ("temp", TensorProto.FLOAT, 1))
    del model.graph.input[:]
    model.graph.input.extend(helper.make_tensor_value_info(name, kind, [None, side]) for name, kind, side in kinds)
    return model.graph


def test_an_input_per_column_is_found_by_its_name():
    columns = [{"name": "temp"}, {"name": "carrier", "datatype": "BYTES"}, {"name": "hour", "datatype": "INT64"}]
    inputs, taken = inputs_of(three_inputs(), manifest(columns=columns))
    assert [(given.name, given.places) for given in inputs] == [("hour", (2,)), ("carrier", (1,)), ("temp", (0,))]
    assert [column.name for column in taken] == ["temp", "carrier", "hour"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["temp", "carrier"], "2 of them, the graph takes 3"),
        (["temp", "day", "hour"], "no input day; it has hour, carrier, temp"),
        (["temp", "carrier", "hour"], "carrier is FP64, the graph takes BYTES"),
    ],
)
def test_columns_that_are_not_the_graphs_are_refused(columns, said):
    with pytest.raises(ModelBroken, match=said):
        inputs_of(three_inputs(), manifest(columns=[{"name": name} for name in columns]))


def test_a_matrix_beside_another_takes_its_columns_in_order():
    model = graph([node("Identity", "x")])
    model.graph.input.append(helper.make_tensor_value_info("text", TensorProto.STRING, [None, 2]))
    inputs, columns = inputs_of(model.graph, manifest())
    assert [given.places for given in inputs] == [(0, 1, 2, 3), (4, 5)]
    assert [column.name for column in columns] == ["x0", "x1", "x2", "x3", "text0", "text1"]
    assert [column.datatype for column in columns] == ["FP32"] * 4 + ["BYTES"] * 2
    named = [{"name": name} for name in ("text", "b", "c", "d")] + [
        {"name": n, "datatype": "BYTES"} for n in ("x", "e")
    ]
    inputs, columns = inputs_of(model.graph, manifest(columns=named))  # by position, whatever they are called
    assert [given.places for given in inputs] == [(0, 1, 2, 3), (4, 5)]
    assert [column.name for column in columns] == ["text", "b", "c", "d", "x", "e"]


@pytest.mark.parametrize(
    ("outputs", "label", "values"),
    [
        ([("y", TensorProto.FLOAT)], None, "y"),
        ([("y", TensorProto.STRING)], "y", None),
        ([("p", TensorProto.DOUBLE), ("y", TensorProto.INT64)], "y", "p"),
    ],
)
def test_outputs_are_told_apart_by_their_types(outputs, label, values):
    found = outputs_of(graph([node("Identity", "x")], outputs=outputs).graph)
    assert (found.label, found.numbers) == (label, values)


@pytest.mark.parametrize(
    "outputs",
    [
        [("a", TensorProto.FLOAT), ("b", TensorProto.FLOAT)],
        [("a", TensorProto.INT64), ("b", TensorProto.STRING)],
        [("a", TensorProto.BOOL)],
    ],
)
def test_other_outputs_are_refused_with_the_way_to_choose(outputs):
    with pytest.raises(Refusal, match="select_model_inputs_outputs"):
        outputs_of(graph([node("Identity", "x")], outputs=outputs).graph)


# classes


@pytest.mark.parametrize(
    ("nodes", "stored", "expected"),
    [
        ([node("LinearClassifier", "x", "y p", ML, classlabels_strings=["a", "b"])], [], ("a", "b")),
        (
            [node("TreeEnsembleClassifier", "x", "l p", ML, classlabels_int64s=[3, 5]), node("Cast", "l", to=7)],
            [],
            (3, 5),
        ),
        ([node("ArrayFeatureExtractor", "c i", "l", ML), node("Reshape", "l s")], [whole("c", [7, 8, 9])], (7, 8, 9)),
        ([node("LabelEncoder", "i", "y", ML, keys_int64s=[0, 1], values_strings=["a", "b"])], [], ("a", "b")),
        ([node("ArgMin", "x", axis=1)], [], None),
    ],
)
def test_whoever_makes_the_label_says_the_classes(nodes, stored, expected):
    assert classes_of(graph(nodes, stored=stored).graph, "y") == expected


def test_labels_without_known_classes_want_them_or_the_label_alone(tmp_path):
    nodes = [node("ArgMax", "x", "y", axis=1, keepdims=0), node("Softmax", "x", "p", axis=1)]
    model = graph(nodes, outputs=[("y", TensorProto.INT64), ("p", TensorProto.FLOAT)])
    with pytest.raises(UntrustedModel, match=r"give classes=.*outputs=\['y'\]"):
        serve(model, tmp_path)
    predictor = serve(model, tmp_path, classes=[0, 1, 2, 3])
    assert (predictor.classes, predictor.label_datatype) == ((0, 1, 2, 3), "INT64")
    with pytest.raises(UntrustedModel, match=r"answers \[0\], which is none of its classes \[1, 2, 3, 4\]"):
        serve(model, tmp_path, classes=[1, 2, 3, 4])
    with pytest.raises(ModelBroken, match="64 rows and 2 classes"):
        serve(model, tmp_path, classes=[0, 1])


# rows


def test_an_input_takes_the_nearest_number_of_its_type_and_no_other():
    intake = Intake([Input("x", "FP32", np.dtype("f4"), (0, 1))], missing=False)
    assert intake.feeds(np.array([[0.1, 2.0]]))["x"].tolist() == [[float(np.float32(0.1)), 2.0]]
    for value, said in ((1e39, "beyond FP32"), (np.inf, "beyond FP32"), (np.nan, "missing")):
        with pytest.raises(ValueError, match=said):
            intake.feeds(np.array([[value, 2.0]]))
    assert np.isnan(Intake([Input("x", "FP32", np.dtype("f4"), (0,))], missing=True).feeds(np.array([[np.nan]]))["x"])


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 2.0**54])
def test_an_input_of_whole_numbers_takes_no_others(value):
    with pytest.raises(ValueError, match="whole numbers only"):
        Intake([Input("x", "INT64", np.dtype("i8"), (0,))], missing=True).feeds(np.array([[value]]))


@pytest.mark.parametrize("value", [np.nan, None, 3, b"AA"])
def test_an_input_of_text_takes_no_others(value):
    rows = np.empty((1, 1), dtype=object)
    rows[0, 0] = value
    with pytest.raises(ValueError, match="texts only"):
        Intake([Input("x", "BYTES", np.dtype("O"), (0,))], missing=True).feeds(rows)


def test_the_rows_that_a_graph_is_reviewed_with_are_the_probes_mixed():
    columns = (Column(name="a"), Column(name="b", datatype="BYTES"))
    rows = some_rows(
        manifest(columns=[c.model_dump() for c in columns], probe=[[1.0, "x"], [2.0, "y"], [None, "z"]]), columns
    )
    assert rows.shape == (ROWS, 2)
    assert rows[:3, 1].tolist() == ["x", "y", "z"]
    assert len({(str(a), b) for a, b in rows.tolist()}) == 9
    assert some_rows(manifest(), columns)[0].tolist() == [0.0, ""]


@pytest.mark.parametrize(
    "nodes",
    [
        [node("ReduceMean", "x", "m", axes=[0]), node("Sub", "x m", "d"), node("ReduceSum", "d", axes=[1])],
        [node("CumSum", "x a", "c"), node("ReduceSum", "c", axes=[1])],
        [node("ReduceMax", "x", "h", axes=[0, 1]), node("ReduceSum", "x", "s", axes=[1]), node("Div", "s h")],
    ],
)
def test_a_row_that_is_answered_with_others_in_it_is_refused(nodes, tmp_path):
    with pytest.raises(UntrustedModel, match="every row must be answered by itself"):
        serve(graph(nodes, opset=11, stored=[whole("a", [0], [])]), tmp_path, probe=[[1.0, 2.0, 3.0, 4.0]])


def test_a_label_that_depends_on_other_rows_is_refused_though_the_probabilities_do_not(tmp_path):
    nodes = [
        node("Softmax", "x", "p", axis=1),
        node("CumSum", "p a", "c"),
        node("Floor", "c", "f"),
        node("ArgMax", "f", "y", axis=1, keepdims=0),
    ]
    outputs = [("y", TensorProto.INT64), ("p", TensorProto.FLOAT)]
    model = graph(nodes, opset=13, outputs=outputs, stored=[whole("a", [0], [])])
    with pytest.raises(UntrustedModel, match="every row must be answered by itself"):
        serve(model, tmp_path, classes=[0, 1, 2, 3], probe=[[1.0, 2.0, 3.0, 0.0]])


def test_a_graph_says_something_of_missing_values_or_gets_none():
    assert not handles_missing(tree().graph)
    assert not handles_missing(tree(nodes_missing_value_tracks_true=[0, 0, 0]).graph)
    assert handles_missing(tree(nodes_missing_value_tracks_true=[1, 0, 0]).graph)
    assert handles_missing(graph([node("Imputer", "x", domain=ML, imputed_value_floats=[0.0])]).graph)


def test_probabilities_that_are_none_are_refused(tmp_path):
    support = SVC().fit(NUMBERS, LATE)
    with pytest.raises(UntrustedModel, match=r"no probabilities, which lie in 0\.\.1"):
        pack(matrix_graph(support, 3), tmp_path / "m" / "1")


def test_more_rows_than_a_run_has_are_answered_in_several(tmp_path):
    predictor = serve(matrix_graph(LogisticRegression().fit(NUMBERS, LATE), 3), tmp_path)
    many = predictor.predict(NUMBERS)
    assert many.probability.shape == (200, 2)
    assert (
        many.probability[ROWS:].tobytes()
        == np.concatenate(
            [predictor.predict(NUMBERS[start : start + ROWS]).probability for start in range(ROWS, 200, ROWS)]
        ).tobytes()
    )
    assert predictor.predict(NUMBERS[:1]).label.tolist() == many.label[:1].tolist()


def test_whole_numbers_of_a_matrix_are_asked_for_in_a_request(tmp_path):
    nodes = [node("Cast", "x", "f", to=TensorProto.FLOAT), node("ReduceMax", "f", axes=[1])]
    predictor = serve(graph(nodes, element=TensorProto.INT64, width=2, opset=11), tmp_path)
    assert (predictor.whole, predictor.accepts_missing) == ((0, 1), False)

    def body(datatype, data):
        tensor = {"name": "r", "shape": [1, 2], "datatype": datatype, "data": data}
        return json.dumps({"inputs": [tensor]}).encode()

    for datatype, data in (("FP64", [1.0, -2.0]), ("INT64", [2**53, 0]), ("UINT8", [1, 2]), ("BOOL", [True, False])):
        assert predictor.predict(parse_request(body(datatype, data), predictor).rows).label.shape == (1,)
    for datatype, data in (
        ("FP64", [1.5, 0]),
        ("FP64", [None, 0]),
        ("INT64", [2**53 + 2, 0]),
        ("INT64", [-(2**63), 0]),
    ):
        with pytest.raises(RequestError, match="x0 in row 0 is no whole number"):
            parse_request(body(datatype, data), predictor)


# packing


@pytest.fixture(scope="module")
def flight_graph():
    table = flights_table()
    return table, columns_graph(flights_pipeline().fit(table[INPUTS], table["late"]), FLIGHT_COLUMNS, zipmap=True)


def test_a_zipmap_is_taken_out_and_its_classes_kept(flight_graph, tmp_path):
    table, model = flight_graph
    assert model.graph.output[1].type.HasField("sequence_type")
    with pytest.raises(UntrustedModel, match=r"options={'zipmap': False}"):
        serve(model, tmp_path)
    changed, classes = without_zipmap(model)
    assert classes == ("late", "on time")
    assert len(model.graph.node) == len(changed.graph.node) + 1  # the model given stays as it is
    assert without_zipmap(changed) == (changed, None)
    onnx.save(model, tmp_path / "flights.onnx")
    more = {"data": table, "label": "late", "slices": ["carrier"]}
    digest = pack(model, tmp_path / "a" / "flight-delay" / "42", **more)
    assert digest == pack_file(tmp_path / "flights.onnx", tmp_path / "b" / "flight-delay" / "42", **more)
    served = load_model(tmp_path / "a" / "flight-delay" / "42", max_bytes=MAX)
    assert served.manifest.columns == FLIGHT_COLUMNS
    assert served.predictor.classes == classes
    assert set(served.profile.libraries) == {"numpy", "onnxruntime"}
    assert "LinearClassifier" in (tmp_path / "a" / "flight-delay" / "42" / "card.md").read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"carrier": None}, "carrier: takes texts only; fill missing ones in"),
        ({"hour": np.nan}, "hour: takes whole numbers only"),
        ({"distance": 1e39}, "distance: a number is beyond FP32"),
    ],
)
def test_data_that_the_graph_cannot_take_is_named(flight_graph, tmp_path, changes, said):
    table, model = flight_graph
    other = table.astype({"hour": float}) if "hour" in changes else table.copy()
    for column, value in changes.items():
        other.loc[other.index[7], column] = value
    with pytest.raises(DataError, match=said):
        pack(model, tmp_path / "m" / "1", data=other, label="late")


def test_columns_of_a_matrix_have_the_names_of_the_data(tmp_path):
    model = matrix_graph(LogisticRegression().fit(NUMBERS, LATE), 3)
    table = pd.DataFrame(NUMBERS, columns=["a", "b", "c"]).assign(late=LATE)
    pack(model, tmp_path / "m" / "1", data=table, label="late")
    columns = load_model(tmp_path / "m" / "1", max_bytes=MAX).manifest.columns
    assert [(column.name, column.datatype) for column in columns] == [(name, "FP32") for name in "abc"]
    with pytest.raises(DataError, match="has 4 columns beside the label"):
        pack(model, tmp_path / "m" / "2", data=table.assign(d=1), label="late")
    with pytest.raises(DataError, match="2 of them, the graph takes 3"):
        pack(model, tmp_path / "m" / "2", data=table, label="late", columns=["a", "b"])


def test_classes_may_be_given_for_graphs_that_need_them_and_for_no_others(tmp_path):
    nodes = [node("ArgMax", "x", "y", axis=1, keepdims=0), node("Softmax", "x", "p", axis=1)]
    model = graph(nodes, outputs=[("y", TensorProto.INT64), ("p", TensorProto.FLOAT)])
    pack(model, tmp_path / "m" / "1", classes=["0", "1", "2", "3"])
    assert load_model(tmp_path / "m" / "1", max_bytes=MAX).predictor.classes == (0, 1, 2, 3)
    with pytest.raises(DataError, match="labels are whole numbers"):
        pack(model, tmp_path / "m" / "2", classes=["a", "b", "c", "d"])
    with pytest.raises(DataError, match="no probabilities beside its label"):
        pack(graph([node("ReduceMax", "x", axes=[1])], opset=11), tmp_path / "m" / "2", classes=[0, 1])
    with pytest.raises(DataError, match="an estimator knows its own"):
        pack(LogisticRegression().fit(NUMBERS, LATE), tmp_path / "m" / "2", classes=[0, 1])


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_the_commands_take_an_onnx_file(flight_graph, tmp_path):
    table, model = flight_graph
    onnx.save(model, tmp_path / "model.onnx")
    table.to_parquet(tmp_path / "train.parquet")
    folder = tmp_path / "flight-delay" / "42"
    command = ("pack", tmp_path / "model.onnx", "--data", tmp_path / "train.parquet", "--label", "late", "--to", folder)
    packing = run(*command)
    assert packing.exit_code == 0, packing.stderr
    shown = run("inspect", folder).stdout
    assert "format onnx" in shown
    assert "| hour | INT64 |" in shown
    assert run("verify", folder).stdout == packing.stdout
    pushed = run("push", folder, tmp_path / "store" / "42")
    assert packing.stdout.strip() in pushed.stdout
    assert (tmp_path / "store" / "42" / "model.onnx").read_bytes() == (folder / "model.onnx").read_bytes()
    digest, uri = packing.stdout.strip(), f"file://{tmp_path}/store/42/manifest.json"
    fetched = run("fetch", "--uri", uri, "--digest", digest, "--into", tmp_path / "fetched")
    assert fetched.exit_code == 0, fetched.stderr
    assert run("verify", tmp_path / "fetched", "--digest", digest).exit_code == 0
    missing = run("pack", tmp_path / "none.onnx", "--to", tmp_path / "m" / "1")
    assert (missing.exit_code, "none.onnx: no such file" in missing.stderr) == (1, True)


def test_a_module_may_hold_an_onnx_model(flight_graph, tmp_path, monkeypatch):
    onnx.save(flight_graph[1], tmp_path / "saved.onnx")
    (tmp_path / "converted.py").write_text("import onnx\nmodel = onnx.load('saved.onnx')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    packing = run("pack", "converted:model", "--to", "m/1")
    assert packing.exit_code == 0, packing.stderr
    assert run("verify", "m/1").stdout == packing.stdout


def test_a_package_that_is_missing_is_named_with_the_extra(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("sluice_model_server.graphs") or name == "onnx"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UnsupportedFormat, match=r"needs the package onnx: pip install 'sluice-model-server\[onnx\]'"):
        loader(manifest())
    with pytest.raises(UnsupportedFormat, match=r"pip install 'sluice-model-server\[onnx\]'"):
        pack(Path("model.onnx"), Path("m"))


def test_a_graph_that_answers_otherwise_than_when_it_was_packed_is_refused(flight_graph, tmp_path):
    table, model = flight_graph
    folder = tmp_path / "m" / "1"
    pack(model, folder, data=table, label="late")
    changed = onnx.load(folder / "model.onnx")
    (classifier,) = (part for part in changed.graph.node if part.op_type == "LinearClassifier")
    (intercepts,) = (attribute for attribute in classifier.attribute if attribute.name == "intercepts")
    intercepts.floats[0] -= 0.01
    intercepts.floats[1] += 0.01
    document = json.loads((folder / "manifest.json").read_bytes())
    content = changed.SerializeToString()
    for file in document["files"]:
        if file["path"] == "model.onnx":
            file |= {"sha256": digest_of(content).removeprefix("sha256:"), "size": len(content)}
    (folder / "model.onnx").write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(ModelBroken, match=r"probe row 0 .*onnxruntime \d"):
        load_model(folder, max_bytes=MAX)
