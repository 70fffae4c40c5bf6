"""Settings and times in words."""

from recallkit.words import as_time, in_words, with_short_sets


def test_settings_in_words():
    assert in_words({"batch_size": 2048, "simix": False}) == "batch 2,048, SiMix off"
    assert in_words({"ks": (1, 2), "loss": "recall@k"}) == "K = {1, 2}, RS@k"
    assert in_words({"learning_rate": 0.00009, "rank_temperature": 1.0}) == (
        "learning rate 0.00009, τ₂ = 1"
    )
    assert in_words({"classes": 0, "simix": True}) == "all training classes, SiMix on"
    assert in_words({"classes": 100}) == "100 training classes"
    assert in_words({}) == "preset"
    assert in_words({"simix": True, "simix_variant": "queries"}) == "SiMix on, only as queries"
    assert in_words({"simix": False, "simix_variant": "none"}) == "SiMix off"


def test_long_sets_are_cut_in_labels():
    assert with_short_sets("K = {1, 2, 4, 8, 16}") == "K = {1, 2, 4, 8, 16}"
    assert with_short_sets("K = {1, 2, 4, 8, 12, 16, 20, 32}, x") == "K = {1, 2, 4, …, 32}, x"


def test_seconds_as_people_say_them():
    assert [as_time(seconds) for seconds in (89, 91, 5399, 5401)] == [
        "89 s",
        "2 min",
        "90 min",
        "1.5 h",
    ]
