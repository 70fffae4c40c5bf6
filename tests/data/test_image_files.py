"""Files in the place of a tensor of images."""

import pytest
import torch
from PIL import Image

from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import ImageSet
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import embed, embed_pixels
from recallkit.networks import SmallConvNet


@pytest.fixture
def files(tmp_path):
    for i in range(7):
        Image.new("RGB", (30, 20), (30 * i, 0, 0)).save(tmp_path / f"{i}.png")
    return ImageFiles([tmp_path / f"{i}.png" for i in range(7)], side=16)


@pytest.mark.parametrize(
    "index", [slice(None), slice(2, 5), [5, 1], torch.tensor([6, 0, 0]), slice(3, 3)]
)
def test_indices_are_those_of_a_tensor(files, index):
    whole = torch.stack([files[i] for i in range(7)])
    assert files.shape == whole.shape
    assert torch.equal(files[index].to("cpu"), whole[index])


def test_chunks_cover_all(files):
    chunks = files.split(3)
    assert [len(chunk) for chunk in chunks] == [3, 3, 1]
    assert torch.equal(torch.cat([chunk.to("cpu") for chunk in chunks]), files.to("cpu"))
    with pytest.raises(IndexError):
        files[7]


def test_the_middle_square_is_kept(tmp_path):
    wide = Image.new("RGB", (60, 20), "red")
    wide.paste("blue", (20, 0, 40, 20))
    wide.save(tmp_path / "wide.png")
    square = ImageFiles([tmp_path / "wide.png"], side=10)[0]
    assert (square[2, :, 1:-1] == 255).all()
    assert (square[0, :, 1:-1] == 0).all()


def test_the_test_of_the_benchmarks_is_resize_256_and_centre_crop_224(tmp_path):
    from torchvision.transforms import v2

    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, 256, (3, 12, 16), generator=generator, dtype=torch.uint8)
    photograph = v2.functional.to_pil_image(v2.functional.resize(coarse, [384, 576]))
    photograph.save(tmp_path / "photograph.png")
    theirs = v2.functional.center_crop(v2.functional.resize(photograph, 256), [224, 224])
    ours = ImageFiles([tmp_path / "photograph.png"], side=224, margin=1 / 16)[0]
    difference = (v2.functional.pil_to_tensor(theirs).float() - ours.float()).abs()
    assert difference.max() <= 2  # of 255: they round twice


def test_networks_and_pixels_take_them_like_tensors(files):
    network = SmallConvNet(8)
    by_chunks, whole = (
        embed(network, images, 16, batch_size=3) for images in (files, files.to("cpu"))
    )
    assert torch.equal(by_chunks, whole)
    assert torch.equal(embed_pixels(files, 8), embed_pixels(files.to("cpu"), 8))
    images = ImageSet(files, torch.arange(7) // 2, {i: str(i) for i in range(4)})
    chosen = images.of_classes(torch.tensor([1, 3]))
    assert torch.equal(chosen.images.to("cpu"), files[[2, 3, 6]].to("cpu"))


def test_a_damaged_or_missing_image_is_named(files, tmp_path):
    content = (tmp_path / "3.png").read_bytes()
    (tmp_path / "3.png").write_bytes(content[:40])
    (tmp_path / "4.png").unlink()
    with pytest.raises(RecallkitError, match=r"3\.png cannot be read as an image"):
        files[3]
    with pytest.raises(RecallkitError, match=r"there is no image .*4\.png"):
        files[[4]].to("cpu")
    with pytest.raises(ValueError, match="side must be at least 1"):
        ImageFiles([], 0)
