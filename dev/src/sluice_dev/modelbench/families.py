"""Which models does the server support? Each row packs, loads and answers; a test and a benchmark ask them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sklearn import (
    calibration,
    compose,
    decomposition,
    discriminant_analysis,
    dummy,
    ensemble,
    feature_extraction,
    feature_selection,
    impute,
    kernel_ridge,
    linear_model,
    model_selection,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.cluster import KMeans, MiniBatchKMeans

make = pipeline.make_pipeline
scaled = preprocessing.StandardScaler


@dataclass(frozen=True, slots=True)
class Family:
    """make: an estimator that is not fitted. target: what it learns. mixed: one column of text before the numbers.

    missing: takes rows with missing values. path: who answers, as `Predictor.path` says it.
    """

    make: Callable[[], Any]
    target: str = "class"
    mixed: bool = False
    missing: bool = False
    path: str = "sklearn"


def _mixed(estimator: Any, text: Any = None) -> Any:
    first = text or preprocessing.OneHotEncoder(handle_unknown="ignore")
    numbers = make(impute.SimpleImputer(), scaled())
    columns = compose.ColumnTransformer([("text", first, [0]), ("numbers", numbers, slice(1, None))])
    return make(columns, estimator)


def _words(vectorizer: Any) -> Any:
    return make(
        compose.ColumnTransformer([("text", vectorizer, 0)], remainder="drop"), linear_model.LogisticRegression()
    )


def _logistic(**more: Any) -> Any:
    return linear_model.LogisticRegression(**more)


_SHORT_WORDS: Final = r"(?u)\b\w+\b"
_small_forest: Final = {"n_estimators": 8, "max_depth": 8, "random_state": 0}

FAMILIES: Final[dict[str, Family]] = {
    # linear classifiers
    "logistic": Family(_logistic, path="linear classifier"),
    "scaled logistic": Family(lambda: make(scaled(), _logistic()), path="linear classifier"),
    "scaled logistic, three classes": Family(
        lambda: make(scaled(), _logistic(max_iter=300)), "classes", path="linear classifier"
    ),
    "logistic, text labels": Family(lambda: make(scaled(), _logistic()), "words", path="linear classifier"),
    "logistic, cross-validated": Family(
        lambda: make(scaled(), linear_model.LogisticRegressionCV(cv=3, max_iter=300)), path="linear classifier"
    ),
    "ridge classifier": Family(lambda: make(scaled(), linear_model.RidgeClassifier())),
    "stochastic gradient, log loss": Family(
        lambda: make(scaled(), linear_model.SGDClassifier(loss="log_loss", random_state=0))
    ),
    "stochastic gradient, hinge": Family(lambda: make(scaled(), linear_model.SGDClassifier(random_state=0))),
    "perceptron": Family(lambda: make(scaled(), linear_model.Perceptron(random_state=0))),
    "linear support vectors": Family(lambda: make(scaled(), svm.LinearSVC(random_state=0)), "classes"),
    # linear regressions
    "linear": Family(linear_model.LinearRegression, "number", path="linear regression"),
    "ridge": Family(lambda: make(scaled(), linear_model.Ridge()), "number", path="linear regression"),
    "ridge, cross-validated": Family(lambda: make(scaled(), linear_model.RidgeCV()), "number"),
    "lasso": Family(lambda: make(scaled(), linear_model.Lasso(0.1)), "number", path="linear regression"),
    "elastic net": Family(lambda: make(scaled(), linear_model.ElasticNet(0.1)), "number", path="linear regression"),
    "lasso, cross-validated": Family(lambda: make(scaled(), linear_model.LassoCV(cv=3)), "number"),
    "Bayesian ridge": Family(linear_model.BayesianRidge, "number"),
    "Huber": Family(lambda: make(scaled(), linear_model.HuberRegressor(max_iter=300)), "number"),
    "Poisson": Family(lambda: make(scaled(), linear_model.PoissonRegressor()), "count"),
    "gamma": Family(lambda: make(scaled(), linear_model.GammaRegressor()), "positive"),
    "Tweedie": Family(lambda: make(scaled(), linear_model.TweedieRegressor(power=1.5)), "count"),
    "quantile": Family(lambda: make(scaled(), linear_model.QuantileRegressor(alpha=0.01)), "number"),
    "stochastic gradient regression": Family(
        lambda: make(scaled(), linear_model.SGDRegressor(random_state=0)), "number"
    ),
    "linear support vector regression": Family(lambda: make(scaled(), svm.LinearSVR(random_state=0)), "number"),
    "kernel ridge": Family(lambda: make(scaled(), kernel_ridge.KernelRidge(kernel="rbf")), "number"),
    "transformed target": Family(
        lambda: compose.TransformedTargetRegressor(
            make(scaled(), linear_model.Ridge()), func=np.log1p, inverse_func=np.expm1
        ),
        "count",
    ),
    # trees
    "tree": Family(lambda: tree.DecisionTreeClassifier(max_depth=8, random_state=0), missing=True, path="tree"),
    "extra tree": Family(lambda: tree.ExtraTreeClassifier(max_depth=8, random_state=0), missing=True, path="tree"),
    "tree regression": Family(lambda: tree.DecisionTreeRegressor(max_depth=8, random_state=0), "number", missing=True),
    "forest": Family(lambda: ensemble.RandomForestClassifier(**_small_forest), missing=True, path="forest"),
    "forest, three classes": Family(
        lambda: ensemble.RandomForestClassifier(**_small_forest), "classes", missing=True, path="forest"
    ),
    "forest, text labels": Family(
        lambda: ensemble.RandomForestClassifier(**_small_forest), "words", missing=True, path="forest"
    ),
    "extra trees": Family(lambda: ensemble.ExtraTreesClassifier(**_small_forest), missing=True, path="forest"),
    "forest regression": Family(
        lambda: ensemble.RandomForestRegressor(**_small_forest), "number", missing=True, path="forest"
    ),
    "extra trees regression": Family(
        lambda: ensemble.ExtraTreesRegressor(**_small_forest), "number", missing=True, path="forest"
    ),
    "gradient boosting": Family(lambda: ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0)),
    "gradient boosting, three classes": Family(
        lambda: ensemble.GradientBoostingClassifier(n_estimators=8, random_state=0), "classes"
    ),
    "gradient boosting regression": Family(
        lambda: ensemble.GradientBoostingRegressor(n_estimators=8, random_state=0), "number"
    ),
    "histogram boosting": Family(
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=8, random_state=0), missing=True
    ),
    "histogram boosting, three classes": Family(
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=8, random_state=0), "classes", missing=True
    ),
    "histogram boosting, categories": Family(
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=8, categorical_features=[0], random_state=0),
        missing=True,
    ),
    "histogram boosting regression": Family(
        lambda: ensemble.HistGradientBoostingRegressor(max_iter=8, random_state=0), "number", missing=True
    ),
    "histogram boosting, Poisson": Family(
        lambda: ensemble.HistGradientBoostingRegressor(loss="poisson", max_iter=8, random_state=0),
        "count",
        missing=True,
    ),
    "isolation forest": Family(lambda: ensemble.IsolationForest(n_estimators=8, random_state=0), missing=True),
    # ensembles of others
    "bagging": Family(
        lambda: ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=6), 6, random_state=0), missing=True
    ),
    "bagging, some columns": Family(
        lambda: ensemble.BaggingClassifier(make(scaled(), _logistic()), 4, max_features=0.5, random_state=0)
    ),
    "bagging regression": Family(
        lambda: ensemble.BaggingRegressor(tree.DecisionTreeRegressor(max_depth=6), 6, random_state=0),
        "number",
        missing=True,
    ),
    "AdaBoost": Family(lambda: ensemble.AdaBoostClassifier(n_estimators=8, random_state=0)),
    "AdaBoost regression": Family(lambda: ensemble.AdaBoostRegressor(n_estimators=8, random_state=0), "number"),
    "soft vote": Family(
        lambda: ensemble.VotingClassifier(
            [("a", make(scaled(), _logistic())), ("b", ensemble.RandomForestClassifier(**_small_forest))],
            voting="soft",
        )
    ),
    "hard vote": Family(
        lambda: ensemble.VotingClassifier(
            [
                ("a", make(scaled(), _logistic())),
                ("b", naive_bayes.GaussianNB()),
                ("c", tree.ExtraTreeClassifier(max_depth=5)),
            ]
        )
    ),
    "mean of regressions": Family(
        lambda: ensemble.VotingRegressor(
            [("a", linear_model.LinearRegression()), ("b", ensemble.RandomForestRegressor(**_small_forest))]
        ),
        "number",
    ),
    "stacking": Family(
        lambda: ensemble.StackingClassifier(
            [("a", make(scaled(), _logistic())), ("b", ensemble.RandomForestClassifier(**_small_forest))], cv=3
        )
    ),
    "stacking regression": Family(
        lambda: ensemble.StackingRegressor(
            [("a", linear_model.Ridge()), ("b", ensemble.RandomForestRegressor(**_small_forest))], cv=3
        ),
        "number",
    ),
    "calibrated, sigmoid": Family(
        lambda: calibration.CalibratedClassifierCV(make(scaled(), svm.LinearSVC(random_state=0)), cv=3)
    ),
    "calibrated, isotonic": Family(
        lambda: calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), method="isotonic", cv=3)
    ),
    "one against the rest": Family(lambda: multiclass.OneVsRestClassifier(make(scaled(), _logistic())), "classes"),
    "one against one": Family(
        lambda: multiclass.OneVsOneClassifier(make(scaled(), svm.LinearSVC(random_state=0))), "classes"
    ),
    "fixed threshold": Family(
        lambda: model_selection.FixedThresholdClassifier(make(scaled(), _logistic()), threshold=0.3)
    ),
    # other families
    "linear discriminant": Family(discriminant_analysis.LinearDiscriminantAnalysis, "classes"),
    "quadratic discriminant": Family(lambda: discriminant_analysis.QuadraticDiscriminantAnalysis(reg_param=0.1)),
    "naive Bayes, Gaussian": Family(naive_bayes.GaussianNB, "classes"),
    "naive Bayes, Bernoulli": Family(naive_bayes.BernoulliNB),
    "naive Bayes, multinomial": Family(
        lambda: make(preprocessing.MinMaxScaler(clip=True), naive_bayes.MultinomialNB())
    ),
    "naive Bayes, complement": Family(lambda: make(preprocessing.MinMaxScaler(clip=True), naive_bayes.ComplementNB())),
    "neighbours": Family(lambda: make(scaled(), neighbors.KNeighborsClassifier(algorithm="brute")), "classes"),
    "neighbours, weighted": Family(
        lambda: make(scaled(), neighbors.KNeighborsClassifier(algorithm="brute", weights="distance"))
    ),
    "neighbours, regression": Family(
        lambda: make(scaled(), neighbors.KNeighborsRegressor(algorithm="brute")), "number"
    ),
    "nearest centroid": Family(lambda: make(scaled(), neighbors.NearestCentroid())),
    "support vectors": Family(lambda: make(scaled(), svm.SVC()), "classes"),
    "support vectors, nu": Family(lambda: make(scaled(), svm.NuSVC(nu=0.2))),
    "support vector regression": Family(lambda: make(scaled(), svm.SVR()), "number"),
    "support vector regression, nu": Family(lambda: make(scaled(), svm.NuSVR(nu=0.1)), "number"),
    "neural network": Family(
        lambda: make(scaled(), neural_network.MLPClassifier(hidden_layer_sizes=(16,), max_iter=30, random_state=0)),
        "classes",
    ),
    "neural network, stochastic gradient": Family(
        lambda: make(
            scaled(), neural_network.MLPClassifier(hidden_layer_sizes=(8,), solver="sgd", max_iter=30, random_state=0)
        )
    ),
    "neural network regression": Family(
        lambda: make(scaled(), neural_network.MLPRegressor(hidden_layer_sizes=(16,), max_iter=30, random_state=0)),
        "number",
    ),
    "k-means": Family(lambda: make(scaled(), KMeans(4, n_init=1, random_state=0))),
    "k-means, mini batches": Family(lambda: make(scaled(), MiniBatchKMeans(4, n_init=1, random_state=0))),
    "dummy": Family(lambda: dummy.DummyClassifier(strategy="prior"), missing=True),
    "dummy regression": Family(dummy.DummyRegressor, "number", missing=True),
    # what comes before an estimator
    "imputed": Family(lambda: make(impute.SimpleImputer(add_indicator=True), scaled(), _logistic()), missing=True),
    "imputed by neighbours": Family(lambda: make(impute.KNNImputer(), scaled(), _logistic()), missing=True),
    "robust": Family(lambda: make(preprocessing.RobustScaler(), _logistic(max_iter=300))),
    "to 0..1": Family(lambda: make(preprocessing.MinMaxScaler(), _logistic(max_iter=300))),
    "to -1..1": Family(lambda: make(preprocessing.MaxAbsScaler(), _logistic(max_iter=300))),
    "unit length": Family(lambda: make(preprocessing.Normalizer(), _logistic(max_iter=300))),
    "power transform": Family(lambda: make(preprocessing.PowerTransformer(), _logistic())),
    "quantile transform": Family(
        lambda: make(preprocessing.QuantileTransformer(n_quantiles=50, random_state=0), _logistic())
    ),
    "bins": Family(
        lambda: make(
            preprocessing.KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"), _logistic(max_iter=300)
        )
    ),
    "binary": Family(lambda: make(scaled(), preprocessing.Binarizer(), _logistic())),
    "polynomial": Family(lambda: make(scaled(), preprocessing.PolynomialFeatures(2), _logistic(max_iter=300))),
    "principal components": Family(lambda: make(scaled(), decomposition.PCA(3), _logistic())),
    "truncated decomposition": Family(
        lambda: make(scaled(), decomposition.TruncatedSVD(3, random_state=0), _logistic())
    ),
    "selected by variance": Family(lambda: make(feature_selection.VarianceThreshold(), scaled(), _logistic())),
    "selected by a model": Family(lambda: make(scaled(), feature_selection.SelectFromModel(_logistic()), _logistic())),
    "a union of features": Family(
        lambda: make(pipeline.make_union(scaled(), decomposition.PCA(2)), _logistic(max_iter=300))
    ),
    "a numpy function": Family(lambda: make(preprocessing.FunctionTransformer(np.abs), scaled(), _logistic())),
    # a column of text
    "text, one-hot": Family(lambda: _mixed(_logistic(max_iter=300)), mixed=True),
    "text, one-hot, forest": Family(lambda: _mixed(ensemble.RandomForestClassifier(**_small_forest)), mixed=True),
    "text, one-hot, rare together": Family(
        lambda: _mixed(
            _logistic(max_iter=300),
            preprocessing.OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.05, drop="first"),
        ),
        mixed=True,
    ),
    "text, ordinal": Family(
        lambda: _mixed(
            ensemble.HistGradientBoostingClassifier(max_iter=8),
            preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        ),
        mixed=True,
    ),
    "text, by its target": Family(lambda: _mixed(_logistic(), preprocessing.TargetEncoder(random_state=0)), mixed=True),
    "text, counts of words": Family(
        lambda: _words(feature_extraction.text.CountVectorizer(analyzer="char")), mixed=True
    ),
    "text, weights of words": Family(
        lambda: _words(feature_extraction.text.TfidfVectorizer(token_pattern=_SHORT_WORDS)), mixed=True
    ),
    "text, hashed words": Family(lambda: _words(feature_extraction.text.HashingVectorizer(n_features=64)), mixed=True),
}
