"""Comparisons that are trained while one waits."""

from dataclasses import replace

from recallkit.config import Config, config_from
from recallkit.course.quick_runs import train_each


def test_a_result_for_each_setting_and_nothing_left_behind(toy_splits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = Config(images=16, batch_size=8, evaluations=1, image_size=16, embedding_dim=4)
    configs = [base, replace(base, ks=(1,))]
    results = train_each(configs, toy_splits, device="cpu")
    assert [config_from(result["config"]) for result in results] == configs
    assert list(tmp_path.iterdir()) == []
