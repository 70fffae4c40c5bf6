"""Sentences follow from the numbers of made-up runs: up, down, none, between, not run."""

import json
import math
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
from helpers.made_up_runs import made_up_runs

from recallkit import cli
from recallkit.experiments import against, findings, together
from recallkit.experiments.contrasts import (
    BETWEEN,
    FALLS,
    NOT_RUN,
    ONE_SEED,
    RISES,
    UNSEEN,
    chosen,
    conclude,
    contrast_table,
    contrasts,
    in_points,
    reference_of,
    shape,
    verdict,
)
from recallkit.experiments.lengths import family_name, grows
from recallkit.experiments.plan import Run, Stored, place
from recallkit.experiments.points import collect
from recallkit.experiments.summary import Estimate
from recallkit.experiments.sweeps import SWEEPS, Sweep, grid

RATES = {"learning_rate": (0.001, 0.002, 0.004)}
SIZES = Sweep(
    "batch-size", "?", "emoji", grid(batch_size=(32, 512, 128), simix=(False, True)), tuned=RATES
)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def noise(config):
    return 0.002 * (config.seed % 3 - 1)


def points_of(sweep, effect, **options):
    return collect(sweep, made_up_runs(sweep, lambda c: 0.5 + effect(c) + noise(c), **options))


def collect_none(name):
    return collect(SWEEPS[name], Stored())


def doublings(config):
    return math.log2(config.batch_size / 128)


@pytest.mark.parametrize(
    ("mean", "margin", "said"),
    [
        (0.02, 0.01, RISES),
        (-0.02, 0.01, FALLS),
        (0.01, 0.01, UNSEEN),
        (-0.009, 0.01, UNSEEN),
        (0.5, math.inf, ONE_SEED),
    ],
)
def test_a_verdict_needs_an_interval_without_zero(mean, margin, said):
    assert verdict(Estimate(mean, margin, 3)) == said


def test_points_have_signs_and_only_known_intervals():
    assert in_points(Estimate(-0.0123, 0.0049, 3)) == "−1.2 ± 0.5"
    assert in_points(Estimate(0.0123, math.inf, 1)) == "+1.2"


SHAPES = {
    RISES: lambda c: 0.01 * doublings(c),
    FALLS: lambda c: -0.01 * doublings(c),
    BETWEEN: lambda c: -0.01 * abs(doublings(c)),
    UNSEEN: lambda c: 0.0,
}


@pytest.mark.parametrize(("said", "effect"), SHAPES.items())
def test_a_shape_is_told_and_so_is_the_advice(said, effect):
    points = points_of(SIZES, effect)
    for members in findings.by_simix(SIZES, points).values():
        assert shape(members, "batch_size")[0] == said
    sentence = findings.batch_size({"batch-size": points})
    advices = {RISES: "large", FALLS: "small", BETWEEN: "between", UNSEEN: "time and memory"}
    assert advices[said] in sentence.split("**")[1]
    assert sentence.count(said) >= 2  # for SiMix off and on
    others = findings.batch_size(
        {"batch-size": points, "batch-size-glyphs": collect_none("batch-size-glyphs")}
    )
    assert others == f"{sentence} Not run: `glyphs-short`, SiMix off."


def test_differences_in_a_sentence_are_those_of_the_runs():
    sentence = findings.batch_size({"batch-size": points_of(SIZES, SHAPES[BETWEEN])})
    assert "(32 → 128: +2.0 ± 0.5, 128 → 512: −2.0 ± 0.5)" in sentence


def test_data_that_disagree_give_no_advice_but_to_try():
    points = points_of(SIZES, lambda c: 0.01 * doublings(c) * (1 if c.simix else -1))
    sentence = findings.batch_size({"batch-size": points})
    assert sentence.startswith("**Batch size. Try several")


@pytest.mark.parametrize(
    ("effect", "advice"),
    [(0.03, "Switch SiMix on"), (-0.03, "Leave SiMix off"), (0.0, "no difference was seen")],
)
def test_simix(effect, advice):
    sentence = findings.simix({"batch-size": points_of(SIZES, lambda c: effect * c.simix)})
    assert advice in sentence.split("**")[1]
    assert sentence.count(in_points(Estimate(effect, 0.00454, 3))) == 3  # at each size


def test_simix_that_helps_small_batches_only():
    points = points_of(SIZES, lambda c: -0.01 * doublings(c) * c.simix)
    sentence = findings.simix({"batch-size": points})
    assert "Try SiMix on and off" in sentence
    assert "rises at batch 32 (+2.0 ± 0.5); falls at batch 512 (−2.0 ± 0.5)" in sentence


LOSSES = replace(SWEEPS["losses"], tuned=RATES)


@pytest.mark.parametrize(
    ("effect", "advice", "words"),
    [
        (0.04, "Do not keep RS@k", "best on validation classes is triplet (+4.0 ± 0.5"),
        (-0.04, "Keep RS@k", "falls with triplet (−4.0 ± 0.5)"),
        (0.0, "Keep RS@k", "no difference seen with 7 others"),
    ],
)
def test_the_loss_that_validation_chooses_is_compared(monkeypatch, effect, advice, words):
    monkeypatch.setitem(SWEEPS, "losses", LOSSES)
    points = points_of(LOSSES, lambda c: effect * (c.loss == "triplet"))
    sentence = findings.loss({"losses": points})
    assert advice in sentence.split("**")[1]
    assert words in sentence


def test_validation_classes_choose_and_test_classes_do_not():
    points = points_of(SIZES, SHAPES[RISES])
    lower = replace(points[0].metrics["R@1"], mean=0.99)
    points[0] = replace(points[0], metrics={"R@1": lower})
    assert chosen(points).values["batch_size"] == 512


def test_nothing_stored_and_one_seed_say_so():
    for sentence in findings.findings(Stored()):
        assert sentence.endswith(": not run.")
    lone = replace(SIZES, seeds=(0,))
    sentence = findings.batch_size({"batch-size": points_of(lone, SHAPES[RISES])})
    assert "No advice from one seed" in sentence
    assert shape([], "batch_size") == (NOT_RUN, [])
    assert conclude([]) == contrast_table([]) == NOT_RUN


def test_contrasts_are_with_the_preset_within_what_is_kept():
    points = points_of(SIZES, SHAPES[RISES], lacks=lambda c: c.batch_size == 512)
    assert reference_of(SIZES) == {"batch_size": 128, "simix": True}
    found = contrasts(points, {"batch_size": 128}, keep=("simix",))
    assert [(c.name, c.within["simix"]) for c in found] == [("batch 32", False), ("batch 32", True)]
    assert {c.verdict for c in found} == {FALLS}
    table = contrast_table(found)
    assert table.count("−2.0 ± 0.5") == 2
    assert "with batch 32 at SiMix off (−2.0 ± 0.5)" in conclude(found)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([], NOT_RUN),
        ([RISES, RISES], "yes"),
        ([RISES, FALLS, UNSEEN], "in part (1 of 3)"),
        ([BETWEEN], "in part (0 of 1)"),
        ([FALLS, UNSEEN], "no"),
        ([RISES, ONE_SEED], "one seed: not to be told"),
    ],
)
def test_agreement_with_a_claim(verdicts, said):
    assert against.agreement(verdicts) == said


def rows_of(table):
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {first: others for first, *others in lines[2:]}


def test_claims_stand_beside_what_was_found(monkeypatch):
    monkeypatch.setitem(SWEEPS, "losses", LOSSES)
    found = {
        "batch-size": points_of(SIZES, SHAPES[FALLS]),
        "losses": points_of(LOSSES, lambda c: 0.03 * (c.loss == "contrastive")),
    }
    rows = rows_of(against.claims_table(found))
    assert rows["a larger batch retrieves better"][2] == "no"
    numbers, here, agrees = rows["RS@k retrieves better than the contrastive loss"]
    assert "ROxford, GeM, hard mAP: 44.3 → 46.1" in numbers
    assert (here, agrees) == ("`emoji-frozen`: −3.0 ± 0.5, falls", "no")
    assert rows["RS@k retrieves better than Smooth-AP"][2] == "no"
    assert "80.7 → 88.2 (unverified)" in rows["SiMix retrieves better"][0]
    assert rows["K = {1, 2, 4, 8, 16} are good cut-offs"][1:] == [NOT_RUN, NOT_RUN]


def test_conditions_are_tested_by_what_is_stored_and_no_more():
    rows = rows_of(against.conditions_table({}))
    assert rows["classes that train"] == ["11,318", against.UNTESTED]
    assert {others[-1] for others in rows.values()} == {against.UNTESTED}
    found = {"batch-size": points_of(SIZES, SHAPES[FALLS], lacks=lambda c: c.batch_size == 512)}
    rows = rows_of(against.conditions_table(found))
    assert rows["classes that train"][1:] == ["600", against.UNTESTED]
    assert rows["largest batch"] == ["4,000", "128", against.UNTESTED]
    assert rows["network"][:2] == ["pretrained", "from scratch"]


def test_figures_of_several_sweeps(tmp_path):
    found = {"batch-size": points_of(SIZES, lambda c: 0.03 * c.simix)}
    ax = together.draw_simix(found).axes[0]
    line = ax.containers[0].lines[0]
    assert list(line.get_ydata()) == pytest.approx([3, 3, 3])
    axes = together.draw_batch_sizes(found).axes
    assert [ax.get_title() for ax in axes] == ["emoji\n100,000 images seen"]
    assert together.draw_together("lengths", found, tmp_path) == []  # there is one length
    for name in ("batch-sizes", "simix"):
        files = together.draw_together(name, found, tmp_path)
        assert [file.name for file in files] == [f"{name}.{kind}" for kind in ("svg", "png", "csv")]
        assert len(files[2].read_text().splitlines()) in (4, 7)  # a row a contrast, or a setting
        assert together.draw_together(name, {}, tmp_path) == []


SHORT, LONG = (
    replace(SWEEPS[f"batch-size-glyphs{end}"], tuned=RATES, compared=grid(batch_size=(512, 4096)))
    for end in ("", "-4m")
)


def at_lengths(monkeypatch, effect):
    """Two lengths of training on glyphs; ``effect`` is what a doubling of the batch adds."""
    found = {}
    for sweep in (SHORT, LONG):
        monkeypatch.setitem(SWEEPS, sweep.name, sweep)
        found[sweep.name] = points_of(sweep, lambda c: effect(c) * doublings(c))
    return found


def test_the_longer_the_larger(monkeypatch, tmp_path):
    found = at_lengths(monkeypatch, lambda c: -0.01 if c.images < 10**6 else 0.001)
    [(family, lengths)] = findings.batch_lengths(found).items()
    assert family == ("glyphs", "small", "SiMix off")
    assert list(lengths) == [200_000, 4_000_000]
    assert grows(lengths)
    sentence = findings.batch_size(found)
    assert "**Batch size. The longer you train, the larger the batch.**" in sentence
    assert (
        "glyphs, SiMix off, 512 → 4,096: after 200,000 images −3.0 ± 0.5, "
        "after 4,000,000 images +0.3 ± 0.5" in sentence
    )
    line = together.draw_lengths(found).axes[0].containers[0].lines[0]
    assert list(line.get_ydata()) == pytest.approx([-3, 0.3])
    *_, table = together.draw_together("lengths", found, tmp_path)
    assert table.read_text().splitlines()[1:] == [
        "glyphs,small,SiMix off,200000,512,4096,-0.03,falls,0.004534",
        "glyphs,small,SiMix off,4000000,512,4096,0.003,no difference seen,0.004534",
    ]


def test_a_length_compared_across_devices_says_so(monkeypatch, tmp_path):
    found = {}
    for sweep in (SHORT, LONG):
        monkeypatch.setitem(SWEEPS, sweep.name, sweep)
        stored = made_up_runs(sweep, lambda c: 0.5 + noise(c))
        for config, result in stored.final.items():
            far = sweep is LONG and config.batch_size == 4096
            result["device"] = "a card" if far else "a processor"
        found[sweep.name] = collect(sweep, stored)
    said = "+0.0 ± 0.5 (the smaller on a processor, the larger on a card)"
    sentence = findings.batch_size(found)
    assert said in sentence
    lengths = sentence.split("glyphs, SiMix off, ")[1]
    assert lengths.startswith("512 → 4,096: after 200,000 images +0.0 ± 0.5, after 4,000,000")
    assert said in against.CLAIMS[0].tested(found)[0]
    assert "4,000,000 images: the smaller on" in together.draw_lengths(found).get_supxlabel()
    assert together.draw_batch_sizes(found).get_supxlabel() == (
        "glyphs, 4,000,000 images: runs were made on a card and a processor"
    )
    *_, table = together.draw_together("lengths", found, tmp_path)
    assert "a card" not in table.read_text().splitlines()[1]
    assert "a card" in table.read_text().splitlines()[2]


@pytest.mark.parametrize(
    "effect",
    [
        lambda c: -0.001 if c.images < 10**6 else 0.001,  # but the intervals meet
        lambda c: 0.01 if c.images < 10**6 else -0.01,  # the other way round
    ],
)
def test_length_is_no_advice_where_it_does_not_help_for_certain(monkeypatch, effect):
    found = at_lengths(monkeypatch, effect)
    [lengths] = findings.batch_lengths(found).values()
    assert not grows(lengths)
    assert "longer" not in findings.batch_size(found).split("**")[1]


def test_lengths_need_two_batch_sizes_in_common(monkeypatch):
    found = at_lengths(monkeypatch, lambda c: 0.01)
    found[LONG.name] = found[LONG.name][:1]
    assert findings.batch_lengths(found) == {}


def test_a_frozen_and_a_finetuned_network_are_no_two_lengths_of_one(monkeypatch):
    found = {}
    for name in ("batch-size-frozen", "batch-size-finetuned", "two-minutes-finetuned"):
        sweep = replace(SWEEPS[name], compared=grid(batch_size=(128, 512)), tuned=RATES)
        monkeypatch.setitem(SWEEPS, name, sweep)
        found[name] = points_of(sweep, lambda c: 0.0)
    [(family, lengths)] = findings.batch_lengths(found).items()
    assert family_name(family) == "emoji, efficientnet_lite0 pretrained, SiMix off"
    assert list(lengths) == [18_432, 32_768]


def test_batch_sizes_in_a_table(monkeypatch):
    assert findings.batch_table({}) == NOT_RUN
    rows = findings.batch_table({"batch-size": points_of(SIZES, SHAPES[FALLS])}).splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    head = ["R@1, %", "images seen", "SiMix", "32", "128", "512", "with the batch, R@1"]
    assert cells[0] == head
    numbers = ["52.0 ± 0.5", "50.0 ± 0.5", "48.0 ± 0.5"]
    assert cells[2] == ["`emoji`", "100,000", "off", *numbers, FALLS]
    lacking = points_of(SIZES, SHAPES[FALLS], lacks=lambda c: c.batch_size == 512)
    assert NOT_RUN in findings.batch_table({"batch-size": lacking})


def test_many_comparisons_are_counted():
    points = points_of(SIZES, SHAPES[RISES])
    frozen = replace(SWEEPS["batch-size-frozen"], tuned=RATES)
    found = {"batch-size": points, frozen.name: points_of(frozen, SHAPES[FALLS])}
    sentence = findings.batch_size(found)
    assert (
        "Of 4 comparisons at equal images and tuned rates, R@1 rises in 2, falls in 2." in sentence
    )


def store(stored, sweep, root):
    """Write made-up runs as they are stored."""
    about = {"seconds": 1.0, "device": "a processor", "commit": "abc"}
    for stage in ("tuning", "final"):
        for config, result in getattr(stored, stage).items():
            path = place(root, sweep, Run(stage, config))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(result | about))


def test_all_that_is_stored_is_drawn_by_one_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(SWEEPS, "batch-size", SIZES)
    store(made_up_runs(SIZES, lambda c: 0.5 + noise(c)), SIZES, tmp_path / "results")
    folders = ["--results", str(tmp_path / "results"), "--out", str(tmp_path / "figures")]
    cli.main(["plot", "all", *folders])
    drawn = {path.stem for path in (tmp_path / "figures").iterdir()}
    of_sweep = {f"batch-size{end}" for end in ("", "-cost", "-rates")}
    assert drawn == {*of_sweep, "batch-sizes", "simix"}
    cli.main(["plot", "batch-sizes", "simix", *folders])
    assert capsys.readouterr().out.count("drew") == 15 + 6


def test_what_to_draw_must_be_named_and_nothing_stored_is_said(tmp_path, capsys):
    with pytest.raises(SystemExit, match="name what to draw: all, or some of batch-size"):
        cli.main(["plot"])
    cli.main(["plot", "all", "--results", str(tmp_path), "--out", str(tmp_path)])
    assert "nothing is stored" in capsys.readouterr().out


def test_settings_that_were_not_run_are_counted():
    sweep = SWEEPS["ks"]
    some = points_of(sweep, lambda c: 0.0, lacks=lambda c: c.ks in ((1,), (2,)))
    assert findings.against_preset(sweep, some).endswith("; 2 of 7 settings not run")
    assert "2 of 7 settings not run" in findings.knobs({"ks": some})
    assert "settings not run" not in findings.knobs({"ks": points_of(sweep, lambda c: 0.0)})
