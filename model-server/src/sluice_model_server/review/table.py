"""Which types may a model consist of, and what was found when each was reviewed?

Asked of each: what does native code do at predict with what the file says? scikit-learn's own fit always writes what
fits together; a crafted file need not. `objects` has the checks by the same names.
"""

from dataclasses import dataclass
from typing import Final

TREE: Final = "sklearn.tree._tree.Tree"
TREE_PREDICTOR: Final = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"


@dataclass(frozen=True, slots=True)
class Review:
    """reason: why the type may come from a file. check: the name of the check that it needs in `objects`, or None."""

    reason: str
    check: str | None = None


_DENSE = Review("numpy arithmetic only: numpy compares shapes and bounds itself")
_COMBINES = Review("hands rows to its parts, which are checked themselves, through numpy's own indexing")
_CLASSES = Review("numpy only: classes are taken by index within bounds")
_PLAIN = Review("plain Python without native code")

_GROUPS: tuple[tuple[Review, str, tuple[str, ...]], ...] = (
    (_DENSE, "linear_model._base", ("LinearRegression",)),
    (_DENSE, "linear_model._bayes", ("ARDRegression", "BayesianRidge")),
    (
        _DENSE,
        "linear_model._coordinate_descent",
        ("ElasticNet", "ElasticNetCV", "Lasso", "LassoCV", "MultiTaskElasticNet", "MultiTaskLasso"),
    ),
    (_DENSE, "linear_model._glm.glm", ("GammaRegressor", "PoissonRegressor", "TweedieRegressor")),
    (_DENSE, "linear_model._huber", ("HuberRegressor",)),
    (_DENSE, "linear_model._least_angle", ("Lars", "LarsCV", "LassoLars", "LassoLarsCV", "LassoLarsIC")),
    (_DENSE, "linear_model._logistic", ("LogisticRegression", "LogisticRegressionCV")),
    (_DENSE, "linear_model._omp", ("OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV")),
    (_DENSE, "linear_model._passive_aggressive", ("PassiveAggressiveClassifier", "PassiveAggressiveRegressor")),
    (_DENSE, "linear_model._perceptron", ("Perceptron",)),
    (_DENSE, "linear_model._quantile", ("QuantileRegressor",)),
    (_DENSE, "linear_model._ridge", ("Ridge", "RidgeCV", "RidgeClassifier", "RidgeClassifierCV")),
    (_DENSE, "linear_model._stochastic_gradient", ("SGDClassifier", "SGDRegressor")),
    (_DENSE, "linear_model._theil_sen", ("TheilSenRegressor",)),
    (_DENSE, "discriminant_analysis", ("LinearDiscriminantAnalysis", "QuadraticDiscriminantAnalysis")),
    (_DENSE, "naive_bayes", ("BernoulliNB", "CategoricalNB", "ComplementNB", "GaussianNB", "MultinomialNB")),
    (_DENSE, "cross_decomposition._pls", ("PLSRegression",)),
    (_DENSE, "kernel_ridge", ("KernelRidge",)),
    (_DENSE, "neighbors._nearest_centroid", ("NearestCentroid",)),
    (Review("one matrix product at predict; liblinear trains only"), "svm._classes", ("LinearSVC", "LinearSVR")),
    (_DENSE, "neural_network._multilayer_perceptron", ("MLPClassifier", "MLPRegressor")),
    (
        Review("plain Python that trains; predict never asks it"),
        "neural_network._stochastic_optimizers",
        ("AdamOptimizer", "SGDOptimizer"),
    ),
    (_DENSE, "dummy", ("DummyClassifier", "DummyRegressor")),
    (Review("numpy's interp between the file's own points"), "isotonic", ("IsotonicRegression",)),
    (
        Review("libsvm reads arrays by the sizes of other arrays", "vectors"),
        "svm._classes",
        ("SVC", "NuSVC", "SVR", "NuSVR"),
    ),
    (
        Review("compiled distances take the width from one side and write votes by class index", "neighbours"),
        "neighbors._classification",
        ("KNeighborsClassifier",),
    ),
    (
        Review("compiled distances take the width from one side", "neighbours"),
        "neighbors._regression",
        ("KNeighborsRegressor",),
    ),
    (
        Review("compiled distances take the width from one side", "centres"),
        "cluster._kmeans",
        ("KMeans", "MiniBatchKMeans"),
    ),
    (
        Review("children and features are followed without bounds checks", "tree"),
        "tree._classes",
        ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"),
    ),
    (
        Review("hands its matrix to its trees unchecked", "forest"),
        "ensemble._forest",
        ("ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor"),
    ),
    (
        Review("walks its trees in native code and writes by column", "boosting"),
        "ensemble._gb",
        ("GradientBoostingClassifier", "GradientBoostingRegressor"),
    ),
    (
        Review("walks its trees in native code", "histograms"),
        "ensemble._hist_gradient_boosting.gradient_boosting",
        ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
    ),
    (
        Review("bins, of which predict asks the known categories", "bins"),
        "ensemble._hist_gradient_boosting.binning",
        ("_BinMapper",),
    ),
    (Review("hands columns to its trees unchecked", "isolation"), "ensemble._iforest", ("IsolationForest",)),
    (_COMBINES, "ensemble._bagging", ("BaggingClassifier", "BaggingRegressor")),
    (_COMBINES, "ensemble._weight_boosting", ("AdaBoostClassifier", "AdaBoostRegressor")),
    (_COMBINES, "ensemble._stacking", ("StackingClassifier", "StackingRegressor")),
    (_COMBINES, "ensemble._voting", ("VotingClassifier", "VotingRegressor")),
    (_COMBINES, "calibration", ("CalibratedClassifierCV", "_CalibratedClassifier", "_SigmoidCalibration")),
    (_COMBINES, "multiclass", ("OneVsOneClassifier", "OneVsRestClassifier", "_ConstantPredictor")),
    (
        _COMBINES,
        "model_selection._classification_threshold",
        ("FixedThresholdClassifier",),
    ),
    (_COMBINES, "compose._target", ("TransformedTargetRegressor",)),
    (_COMBINES, "compose._column_transformer", ("ColumnTransformer",)),
    (_COMBINES, "pipeline", ("Pipeline", "FeatureUnion")),
    (
        _DENSE,
        "preprocessing._data",
        (
            "Binarizer",
            "MaxAbsScaler",
            "MinMaxScaler",
            "Normalizer",
            "PowerTransformer",
            "QuantileTransformer",
            "RobustScaler",
            "StandardScaler",
        ),
    ),
    (
        Review("native code only for sparse rows, whose indices it does not take from the file"),
        "preprocessing._polynomial",
        ("PolynomialFeatures",),
    ),
    (_DENSE, "preprocessing._discretization", ("KBinsDiscretizer",)),
    (_CLASSES, "preprocessing._label", ("LabelBinarizer", "LabelEncoder")),
    (_CLASSES, "preprocessing._encoders", ("OrdinalEncoder",)),
    (_DENSE, "preprocessing._target_encoder", ("TargetEncoder",)),
    (
        Review("writes a sparse matrix by index; scipy unfolds it without bounds checks", "one_hot"),
        "preprocessing._encoders",
        ("OneHotEncoder",),
    ),
    (
        Review("calls a function; admitted are none and numpy's ufuncs", "function"),
        "preprocessing._function_transformer",
        ("FunctionTransformer",),
    ),
    (_DENSE, "impute._base", ("MissingIndicator", "SimpleImputer")),
    (_DENSE, "impute._knn", ("KNNImputer",)),
    (_DENSE, "decomposition._pca", ("PCA",)),
    (_DENSE, "decomposition._truncated_svd", ("TruncatedSVD",)),
    (_DENSE, "feature_selection._variance_threshold", ("VarianceThreshold",)),
    (_COMBINES, "feature_selection._from_model", ("SelectFromModel",)),
    (
        Review("writes a sparse matrix by the vocabulary's numbers, and runs its regular expression", "vocabulary"),
        "feature_extraction.text",
        ("CountVectorizer", "TfidfVectorizer"),
    ),
    (
        Review("weights by index within bounds; its regular expression must be scikit-learn's own", "words"),
        "feature_extraction.text",
        ("HashingVectorizer", "TfidfTransformer"),
    ),
    (_PLAIN, "_loss.link", ("HalfLogitLink", "IdentityLink", "Interval", "LogitLink", "LogLink", "MultinomialLogit")),
    (
        Review("predict asks its link and nothing of its native part"),
        "_loss.loss",
        (
            "AbsoluteError",
            "ExponentialLoss",
            "HalfBinomialLoss",
            "HalfGammaLoss",
            "HalfMultinomialLoss",
            "HalfPoissonLoss",
            "HalfSquaredError",
            "HalfTweedieLoss",
            "HalfTweedieLossIdentity",
            "HuberLoss",
            "PinballLoss",
        ),
    ),
    (_PLAIN, "utils._bunch", ("Bunch",)),
)

REVIEWED: Final[dict[str, Review]] = {
    f"sklearn.{module}.{name}": review for review, module, names in _GROUPS for name in names
} | {TREE_PREDICTOR: Review("nodes are followed without bounds checks; the model that holds it is checked", "owned")}

NOT_TRUSTED_BY_SKOPS: Final = (
    TREE,
    TREE_PREDICTOR,
    "numpy.dtype",
    "functools.partial",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
)
"""What skops is told to load besides what it trusts by itself. numpy.dtype describes numbers: no code, no pointers.
A partial is admitted of check_array alone, which histogram boosting puts before its numbers."""
