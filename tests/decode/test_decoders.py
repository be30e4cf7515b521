"""What holds for every decoder that is found: scikit-learn's manners, known answers, and the same bytes everywhere."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bcikit.core.errors import BciError, WrongUse
from bcikit.core.find import parts
from bcikit.core.settings import settings_of
from bcikit.core.stream import Channel, Stream
from bcikit.decode._decoder import Decoder
from bcikit.testing._stages import _others, _through_a_file

DECODERS = {name: cls for name, cls in parts("stage").items() if issubclass(cls, Decoder)}
EXAMPLES = [
    pytest.param(decoder, source, id=f"{name}-{i}")
    for name, cls in DECODERS.items()
    for i, (decoder, source) in enumerate(cls.examples())
]


def labelled(decoder, source):
    """The example's trials with labels that the decoder itself gives them: what it can tell apart."""
    X = np.asarray(source.data[:120], float)
    return X, decoder.predict(X)


@pytest.mark.parametrize("decoder, source", EXAMPLES)
def test_predict_proba_is_step(decoder, source):
    live = decoder.start(source.stream)
    assert live.names == tuple(map(str, decoder.classes_)) and {c.kind for c in live.channels} == {"probability"}
    stepped = np.concatenate([decoder.step(c).data for c in source.recut((1,) * 60)])
    p = decoder.predict_proba(source.data)
    np.testing.assert_array_equal(stepped, p.astype(np.float32))
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert (p >= 0).all()


@pytest.mark.parametrize("decoder, source", EXAMPLES)
def test_asking_leaves_a_live_decoder_as_it_is(decoder, source):
    decoder.start(source.stream)
    decoder.step(source.chunks[0].cut(50, 0)[0])
    before = repr(decoder.state())
    decoder.predict(source.data[:5])
    assert repr(decoder.state()) == before


@pytest.mark.parametrize("decoder, source", EXAMPLES)
def test_what_is_told_apart_is_learnt_and_noise_is_not(decoder, source):
    X, y = labelled(decoder, source)
    twin = type(decoder)(**decoder.settings()).fit(X[:80], y[:80])
    assert twin.score(X[80:], y[80:]) >= 0.8
    rng = np.random.default_rng(0)
    noise = rng.permutation(y)
    twin.fit(X[:80], noise[:80])
    assert twin.score(X[80:], noise[80:]) < 0.75
    with pytest.raises(WrongUse, match="one class"):
        twin.fit(X[y == y[0]], y[y == y[0]])


@pytest.mark.parametrize("decoder, source", EXAMPLES)
def test_scikit_learn_takes_it(decoder, source):
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import cross_val_score

    X, y = labelled(decoder, source)
    assert is_classifier(decoder) and clone(decoder).get_params() == decoder.get_params()
    assert not hasattr(clone(decoder), "classes_")
    assert cross_val_score(clone(decoder), X, y, cv=3).mean() >= 0.75


@pytest.mark.parametrize("decoder, source", EXAMPLES)
def test_every_setting_changes_what_is_learnt(decoder, source):
    X, y = labelled(decoder, source)
    clean = type(decoder)(**decoder.settings()).fit(X[:80], y[:80]).predict_proba(X)
    for name, field in settings_of(type(decoder)).items():
        if f"setting {name}" in decoder.exempt:
            continue
        examples = [getattr(e, name) for e, _ in type(decoder).examples()]
        for value in (
            *(v for v in examples if v != getattr(decoder, name)),
            *_others(field, getattr(decoder, name), source.stream),
        ):
            try:
                p = type(decoder)(**{**decoder.settings(), name: value}).fit(X[:80], y[:80]).predict_proba(X)
            except BciError:
                continue
            if p.shape != clean.shape or not np.array_equal(p, clean):
                break
        else:
            raise AssertionError(f"no value of {name} changes anything")


@pytest.mark.parametrize("decoder, source", EXAMPLES)
def test_nan_gives_nan_and_nothing_behind_it(decoder, source):
    x = source.data[:20].copy()
    holed = x.copy()
    holed[7, 1] = np.nan
    p, q = decoder.predict_proba(x), decoder.predict_proba(holed)
    assert np.isnan(q[7]).all() and np.isfinite(np.delete(q, 7, axis=0)).all()
    np.testing.assert_array_equal(p[:7], q[:7])


@pytest.mark.parametrize("decoder, source", EXAMPLES)
def test_other_trials_and_other_channels_are_refused(decoder, source):
    with pytest.raises(WrongUse, match="shape"):
        decoder.start(source.stream.but(channels=source.stream.channels[:-1]))
    X, y = labelled(decoder, source)
    names = tuple(Channel(f"E{i}") for i in range(X.shape[1]))
    twin = type(decoder)(**decoder.settings()).fit(X, y, stream=Stream("s", 100.0, names))
    assert twin.rate_ == 100.0
    with pytest.raises(WrongUse, match="other channels"):
        twin.start(Stream("t", 0.0, names[::-1], X.shape[1:]))
    with pytest.raises(WrongUse, match="nothing yet"):
        type(decoder)(**decoder.settings()).start(source.stream)


HOSTILE = {
    "no signal": lambda X, y: (0 * X, y),
    "one value": lambda X, y: (np.repeat(X[:1], len(X), axis=0), y),
    "a still channel": lambda X, y: (np.where(np.arange(X.shape[1])[:, None] == 0, 7.5, X), y),
    "a channel twice": lambda X, y: (X[:, [0, *range(X.shape[1])]], y),
    "no channel whole": lambda X, y: (np.where(np.arange(X.shape[1])[:, None] == 0, np.nan, X), y),
    "one trial a class": lambda X, y: (X[(i := np.unique(y, return_index=True)[1])], y[i]),
    "one lag": lambda X, y: (X[..., :1], y),
    "no channels": lambda X, y: (X[:, :0], y),
    "huge": lambda X, y: (X * 1e200, y),
    "tiny": lambda X, y: (X * 1e-200, y),
    "texts": lambda X, y: (X.astype(str), y),
    "labels of two kinds": lambda X, y: (X, np.array([1, "a"] * len(y), object)[: len(y)]),
    "not what it is for": lambda X, y: (X.reshape(len(X), -1), y),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of what overflows
@pytest.mark.parametrize("name", [n for n in DECODERS if n != "foreign"])  # a process of its own each time
def test_trials_that_hold_nothing_are_refused_in_words_or_learnt_from(name):
    for decoder, source in DECODERS[name].examples():
        X, y = labelled(decoder, source)
        for what, hurt in HOSTILE.items():
            twin = type(decoder)(**decoder.settings())
            X2, y2 = hurt(X[:30], y[:30])
            try:
                p = twin.fit(X2, y2).predict_proba(X2)
            except WrongUse as error:
                assert len(str(error).splitlines()) <= 3, what
            else:
                np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6, err_msg=what)
        break


CHAINS = [
    ("sklearn:LinearDiscriminantAnalysis(solver=lsqr,shrinkage=auto)",),
    ("sklearn:StandardScaler", "sklearn:SVC(C=0.5)"),
    ("sklearn:GaussianNB",),
    ("sklearn:RidgeClassifier",),
    ("pyriemann:XdawnCovariances(nfilter=1)", "pyriemann:MDM"),
    ("pyriemann:FgMDM",),
    ("pyriemann:TangentSpace", "sklearn:LogisticRegression"),
    ("pyriemann:Covariances(estimator=lwf)", "pyriemann:CSP(nfilter=2)", "sklearn:LinearDiscriminantAnalysis"),
]


@pytest.mark.parametrize("chain", CHAINS, ids=lambda c: c[-1].split("(")[0])
def test_any_estimator_is_a_decoder_and_is_kept_without_pickle(chain):
    cls = DECODERS["estimator"]
    _, source = next(iter(cls.examples()))
    known = next(iter(cls.examples()))[0]
    X, y = labelled(known, source)
    decoder = cls(chain=chain).fit(X, y)
    kept = _through_a_file(decoder.learned())
    twin = cls(chain=chain)
    twin.restore(kept)
    np.testing.assert_array_equal(twin.predict_proba(X), decoder.predict_proba(X))
    assert decoder.score(X, y) > 0.8


def test_the_chain_is_scikit_learns_own_pipeline():
    from pyriemann.estimation import Covariances
    from pyriemann.tangentspace import TangentSpace
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    cls = DECODERS["estimator"]
    known, source = next(iter(cls.examples()))
    X, y = labelled(known, source)
    ours = cls(chain=("pyriemann:TangentSpace", "sklearn:LogisticRegression")).fit(X[:80], y[:80])
    theirs = make_pipeline(Covariances("oas"), TangentSpace(), LogisticRegression(random_state=0)).fit(X[:80], y[:80])
    np.testing.assert_allclose(ours.predict_proba(X[80:]), theirs.predict_proba(X[80:]), atol=1e-9)


@pytest.mark.parametrize(
    "chain, said",
    [
        (("os:system",), "no library"),
        (("sklearn:LinearDiscriminantAnalysi",), "Did you mean"),
        (("sklearn:SVC(colour=red)",), "cannot be made"),
        (("rm -rf",), "names no estimator"),
        (("sklearn:ParameterGrid",), "no estimator"),
    ],
)
def test_what_is_no_estimator_is_said(chain, said):
    cls = DECODERS["estimator"]
    _, source = next(iter(cls.examples()))
    with pytest.raises(WrongUse, match=said):
        cls(chain=chain).fit(source.data[:20], np.arange(20) % 2)


def test_what_cannot_be_kept_as_plain_values_says_so():
    cls = DECODERS["estimator"]
    known, source = next(iter(cls.examples()))
    X, y = labelled(known, source)
    forest = cls(chain=("sklearn:RandomForestClassifier(n_estimators=3)",)).fit(X, y)
    with pytest.raises(WrongUse, match="cannot be saved"):
        forest.learned()


def test_a_kept_class_that_is_not_on_the_list_is_never_made():
    from bcikit.decode._kept import unpacked

    for name in ("os:system", "sklearn:Path", "numpy:ndarray", "subprocess:Popen"):
        with pytest.raises(WrongUse):
            unpacked(json.loads(json.dumps({"__class__": name, "vars": {}})))
