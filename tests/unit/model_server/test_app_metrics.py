"""What does a client's request change in /metrics?"""

import numpy as np

from sluice_model_server.faults import FaultPlan
from sluice_model_server.load import load_model
from specs.flights import INPUTS


def request(*rows):
    columns = zip(INPUTS, ("BYTES", "FP64", "INT64", "FP64"), zip(*rows, strict=True), strict=True)
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": datatype, "data": list(values)}
        for name, datatype, values in columns
    ]
    return {"inputs": inputs}


async def test_values_are_counted_from_the_request_to_the_scrape(client, flights):
    model = load_model(flights.folder, max_bytes=1 << 30)
    app = client(model)
    body = request(("UA", 100.0, 5, 1.0), ("ZZ", 1e6, 23, None))
    answer = await app.infer(body, name="flight-delay")
    assert answer.status == 200, answer.content
    assert await app.metric('sluice_feature_category_total{feature="carrier",category="UA"}') == 1
    assert await app.metric('sluice_feature_unseen_total{feature="carrier"}') == 1
    assert await app.metric('sluice_feature_out_of_range_total{feature="distance"}') == 1
    assert await app.metric('sluice_feature_missing_total{feature="temp"}') == 1
    assert await app.metric('sluice_slice_rows_total{slice="carrier",value="UA",outcome="answered"}') == 1
    assert await app.metric("sluice_prediction_score_count") == 2
    assert await app.metric('sluice_batch_rows_bucket{le="2.0"}') == 1
    content = (await app.ask("GET", "/metrics")).content
    assert b"ZZ" not in content


async def test_failures_count_as_failed_rows(client, flights):
    model = load_model(flights.folder, max_bytes=1 << 30)
    app = client(model, faults=FaultPlan(error_share=1))
    assert (await app.infer(request(("UA", 100.0, 5, 1.0)), name="flight-delay")).status == 500
    assert await app.metric('sluice_slice_rows_total{slice="carrier",value="UA",outcome="failed"}') == 1
    assert await app.metric("sluice_prediction_score_count") == 0


async def test_mirrored_copies_are_counted_apart(client, data, matrix):
    app = client(SLUICE_REVISION="6f9c41d2")
    for revision in (b"8b21de07", b"6f9c41d2", b"8b21de07"):
        await app.infer(matrix(data.rows[:1]), headers=((b"x-sluice-revision", revision),))
    assert await app.metric('sluice_requests_total{code="200"}') == 3
    assert await app.metric('sluice_mirrored_requests_total{code="200"}') == 2


async def test_without_a_profile_it_serves_and_counts_answers(client, data, matrix):
    app = client("linear")
    assert (await app.infer(matrix(data.rows[:5]))).status == 200
    labels = data.probability[:5].argmax(axis=1)
    assert await app.metric('sluice_prediction_class_total{class="1"}') == np.sum(labels == 1)
    assert await app.metric("sluice_prediction_null_total") == 0
