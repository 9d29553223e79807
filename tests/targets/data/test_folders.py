"""Data in folders: what is read, and one line for everything that may be wrong with them."""

import gzip
import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest
from data_folders import CIFAR, IDX, SHAPE, idx_bytes, write_cifar, write_idx

from hierbench.benchmarks.cli import main
from hierbench.targets.data import cifar10, folder_target, idx
from hierbench.targets.registry import make_target
from hierbench.targets.testing import assert_refused


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("HIERBENCH_DATA", str(tmp_path))
    return tmp_path


def make_idx(checksum="MNIST", **params):
    return make_target("idx", SHAPE[0] * SHAPE[1], 0, checksum=checksum, **params)


def make_cifar(checksum="CIFAR-10", **params):
    return make_target("cifar10", 3072, 0, checksum=checksum, **params)


def everything(target):
    """Pool and held-out set as they are stored, with their classes, in some order."""
    rng = np.random.default_rng(0)
    parts = []
    for X, y in (target.sample(target.n_train, rng), target.sample_test(target.n_test, rng)):
        stored = np.rint(X * target.data.scale + target.data.center).astype(int)
        parts.append(sorted(map(tuple, np.column_stack([stored, y.astype(int)]))))
    return parts


@pytest.mark.parametrize("compressed", [False, True])
def test_images_in_the_format_of_mnist(root, compressed):
    checksum = write_idx(root / "mnist", compressed)
    target = make_idx(checksum)
    assert (target.n_train, target.n_test, target.image_shape) == (150, 110, (1, *SHAPE))
    assert target.classes == (0.0, 1.0, 2.0, 3.0)
    contents = [
        gzip.decompress((root / "mnist" / f"{name}.gz").read_bytes()) if compressed else
        (root / "mnist" / name).read_bytes()
        for name in IDX
    ]  # fmt: skip
    for stored, images, classes in zip(everything(target), contents[::2], contents[1::2], strict=True):
        pixels = np.frombuffer(images[16:], np.uint8).reshape(-1, SHAPE[0] * SHAPE[1])
        labels = np.frombuffer(classes[8:], np.uint8)
        assert stored == sorted(map(tuple, np.column_stack([pixels, labels]).astype(int)))


def test_a_split_of_emnist_by_the_beginning_of_its_names(root):
    checksum = write_idx(root / "emnist", compressed=True, prefix="emnist-letters-")
    target = make_idx(checksum, folder="emnist", prefix="emnist-letters-", labels="parity")
    assert target.n_train == 150 and target.classes == (-1.0, 1.0)


@pytest.mark.parametrize("compressed", [False, True])
def test_the_binary_version_of_cifar_10(root, compressed):
    checksum = write_cifar(root / "cifar-10-batches-bin", compressed)
    target = make_cifar(checksum)
    assert (target.n_train, target.n_test) == (150, 110) and target.classes == tuple(map(float, range(10)))
    names = [root / "cifar-10-batches-bin" / (f"{name}.gz" if compressed else name) for name in CIFAR]
    contents = [gzip.decompress(n.read_bytes()) if compressed else n.read_bytes() for n in names]
    for stored, content in zip(everything(target), (b"".join(contents[:5]), contents[5]), strict=True):
        records = np.frombuffer(content, np.uint8).reshape(-1, 3073)
        assert stored == sorted(map(tuple, np.roll(records, -1, axis=1).astype(int)))


def test_files_that_change_are_read_again(root):
    first = make_idx(write_idx(root / "mnist"))
    before = everything(first)
    assert everything(make_idx(write_idx(root / "mnist", seed=1))) != before


def test_files_are_read_once(root, monkeypatch):
    checksum = write_idx(root / "mnist")
    make_idx(checksum).sample(10, np.random.default_rng(0))
    before = folder_target._read.cache_info().misses
    for seed in range(5):
        make_target("idx", 20, seed, checksum=checksum).sample(10, np.random.default_rng(0))
    assert folder_target._read.cache_info().misses == before


# checksums


def sums_of(folder, names):
    return tuple(hashlib.md5((folder / n).read_bytes()).hexdigest() for n in names)


@pytest.mark.parametrize(
    ("module", "name", "write", "make", "folder"),
    [
        (idx, "MNIST", write_idx, make_idx, "mnist"),
        (cifar10, "CIFAR-10", write_cifar, make_cifar, "cifar-10-batches-bin"),
    ],
)
def test_files_of_known_checksums_need_no_other(root, monkeypatch, module, name, write, make, folder):
    folder, names = root / folder, IDX if module is idx else CIFAR
    checksum = write(folder)
    assert_refused(make, f"that of {name}; get it again, or give checksum = '{checksum}'")
    monkeypatch.setattr(module, "MD5", {**module.MD5, name: sums_of(folder, names)})
    folder_target._read.cache_clear()
    assert make().n_train == 150
    content = bytearray((folder / names[2]).read_bytes())
    content[-1] ^= 1
    (folder / names[2]).write_bytes(content)
    assert_refused(make, f"MD5 of {folder / names[2]} = ")


def test_the_known_checksums_are_md5_sums_of_each_file():
    for module, names in ((idx, IDX), (cifar10, CIFAR)):
        for sums in module.MD5.values():
            assert len(sums) == len(names) == len(set(sums)) and all(
                re.fullmatch("[0-9a-f]{32}", s) for s in sums
            )


def test_files_of_another_known_set_are_refused_with_its_name(root, monkeypatch):
    folders = {"MNIST": root / "mnist", "Fashion-MNIST": root / "fashion-mnist"}
    own = [write_idx(folder, seed=seed) for seed, folder in enumerate(folders.values())]
    monkeypatch.setattr(idx, "MD5", {name: sums_of(folder, IDX) for name, folder in folders.items()})
    assert make_idx().n_train == make_idx("Fashion-MNIST", folder="fashion-mnist").n_train == 150
    assert make_idx(own[1], folder="fashion-mnist").n_train == 150
    others = [
        ({"folder": "fashion-mnist"}, "MNIST", "Fashion-MNIST"),
        ({"folder": "fashion-mnist", "checksum": own[0]}, own[0], "Fashion-MNIST"),
        ({"checksum": "Fashion-MNIST"}, "Fashion-MNIST", "MNIST"),
    ]
    for params, given, name in others:
        says = (
            f"checksum = '{given}': allowed is one value, {name}, for the files in {folders[name]}; "
            f"they are those of {name}: give checksum = '{name}', or another folder"
        )
        assert_refused(lambda: make_idx(**params), says)  # noqa: B023
    (root / "mnist").rename(root / "away")
    (root / "fashion-mnist").rename(root / "mnist")
    assert_refused(make_idx, "they are those of Fashion-MNIST")


def test_another_checksum_is_refused_with_the_one_of_the_files(root):
    checksum = write_idx(root / "mnist")
    says = f"checksum = 'f00': allowed are MNIST, Fashion-MNIST and, for the files there, {checksum}"
    assert_refused(lambda: make_idx("f00"), says)


# folders and files


def no_variable(root, monkeypatch):
    monkeypatch.delenv("HIERBENCH_DATA")


def no_root(root, monkeypatch):
    monkeypatch.setenv("HIERBENCH_DATA", str(root / "nowhere"))


def no_folder(root, monkeypatch):
    (root / "mnist").rename(root / "other")


def missing(root, monkeypatch):
    (root / "mnist" / IDX[3]).unlink()


def truncated(root, monkeypatch):
    path = root / "mnist" / IDX[0]
    path.write_bytes(path.read_bytes()[:-7])


def only_a_header(root, monkeypatch):
    path = root / "mnist" / IDX[0]
    path.write_bytes(path.read_bytes()[:9])


def empty(root, monkeypatch):
    (root / "mnist" / IDX[1]).write_bytes(b"")


def wrong_magic(root, monkeypatch):
    path = root / "mnist" / IDX[2]
    path.write_bytes(b"\0\0\x0d\x03" + path.read_bytes()[4:])


def classes_for_images(root, monkeypatch):
    (root / "mnist" / IDX[0]).write_bytes((root / "mnist" / IDX[1]).read_bytes())


def truncated_gzip(root, monkeypatch):
    path = root / "mnist" / IDX[0]
    compressed = gzip.compress(path.read_bytes())
    path.unlink()
    path.with_name(f"{path.name}.gz").write_bytes(compressed[: len(compressed) // 2])


def no_gzip(root, monkeypatch):
    path = root / "mnist" / IDX[0]
    path.rename(path.with_name(f"{path.name}.gz"))


def fewer_classes(root, monkeypatch):
    (root / "mnist" / IDX[1]).write_bytes(idx_bytes(np.arange(149) % 4))


def another_size(root, monkeypatch):
    (root / "mnist" / IDX[2]).write_bytes(idx_bytes(np.zeros((110, 4, 5))))


def an_unknown_class(root, monkeypatch):
    (root / "mnist" / IDX[3]).write_bytes(idx_bytes(np.arange(110) % 5))


def one_class(root, monkeypatch):
    for name, n in ((IDX[1], 150), (IDX[3], 110)):
        (root / "mnist" / name).write_bytes(idx_bytes(np.zeros(n)))


BAD_IDX = [
    (no_variable, "HIERBENCH_DATA = '': allowed is a folder that has a folder 'mnist'; set the environment"),
    (no_root, "nowhere': allowed is a folder that has a folder 'mnist'"),
    (no_folder, "allowed is a folder that has a folder 'mnist'"),
    (missing, "no file t10k-labels-idx1-ubyte, nor t10k-labels-idx1-ubyte.gz, in "),
    (
        truncated,
        "train-images-idx3-ubyte = 3009: allowed is one value, 3016, as its header says (150 x 5 x 4)",
    ),
    (only_a_header, "magic number of "),
    (empty, "train-labels-idx1-ubyte = '0x': allowed is one value, 0x00000801"),
    (wrong_magic, "t10k-images-idx3-ubyte = '0x00000d03': allowed is one value, 0x00000803: unsigned bytes"),
    (classes_for_images, "= '0x00000801': allowed is one value, 0x00000803: unsigned bytes, 3 dimensions"),
    (truncated_gzip, "train-images-idx3-ubyte.gz is truncated or damaged"),
    (no_gzip, "train-images-idx3-ubyte.gz is truncated or damaged: Not a gzipped file"),
    (fewer_classes, "train-labels-idx1-ubyte = 149: allowed is one value, 150, as images"),
    (another_size, "t10k-images-idx3-ubyte = '4 x 5': allowed is one value, 5 x 4, as in training"),
    (an_unknown_class, "t10k-labels-idx1-ubyte = 4: allowed are those in "),
]


@pytest.mark.parametrize(("damage", "says"), BAD_IDX, ids=lambda x: getattr(x, "__name__", ""))
def test_a_bad_folder_in_the_format_of_mnist_is_one_line(root, monkeypatch, damage, says):
    checksum = write_idx(root / "mnist")
    make_idx(checksum)
    damage(root, monkeypatch)
    for declared in (checksum, "MNIST"):
        assert_refused(lambda: make_idx(declared), says)  # noqa: B023


def test_data_of_one_class_are_refused(root, monkeypatch):
    write_idx(root / "mnist")
    one_class(root, monkeypatch)
    with pytest.raises(ValueError, match="give checksum") as refused:
        make_idx()
    own = re.search("checksum = '([0-9a-f]{16})'", str(refused.value))[1]
    assert_refused(lambda: make_idx(own), "number of classes in the data = 1: allowed are integers from 2")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: path.unlink(), "no file data_batch_3.bin, nor data_batch_3.bin.gz, in "),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1]),
            "data_batch_3.bin = 92189: allowed are multiples",
        ),
        (lambda path: path.write_bytes(b""), "data_batch_3.bin = 0: allowed are multiples of 3073"),
        (
            lambda path: path.write_bytes(b"\x0a" + path.read_bytes()[1:]),
            "data_batch_3.bin = 10: allowed are inte",
        ),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-3073]),
            "allowed are CIFAR-10 and, for the files",
        ),
    ],
)
def test_a_bad_folder_of_cifar_10_is_one_line(root, change, says):
    checksum = write_cifar(root / "cifar-10-batches-bin")
    change(root / "cifar-10-batches-bin" / "data_batch_3.bin")
    assert_refused(lambda: make_cifar(checksum), says)


@pytest.mark.parametrize("folder", ["", "/tmp", "../elsewhere", "x" * 900, 3])
def test_folders_are_below_the_one_of_the_variable(root, folder):
    assert_refused(lambda: make_idx(folder=folder), "older")


@pytest.mark.parametrize("prefix", ["a/b", 3])
def test_a_prefix_is_the_beginning_of_a_name(root, prefix):
    write_idx(root / "mnist")
    assert_refused(lambda: make_idx(prefix=prefix), "prefix = ")


# the command line


@pytest.mark.parametrize("damage", [no_variable, missing, truncated, wrong_magic, None])
def test_commands_end_with_status_2_and_one_line(root, monkeypatch, capsys, damage):
    write_idx(root / "mnist")
    if damage:
        damage(root, monkeypatch)
    suite = root / "suite.toml"
    suite.write_text(SUITE)
    for call in (
        ["describe", "idx", "--set", "d=20"],
        ["run", str(suite)],
        ["check-target", "idx", "--d", "20"],
    ):
        with pytest.raises(SystemExit) as end:
            main([*call, *(["--results", str(root / "results")] if call[0] != "describe" else [])])
        said = capsys.readouterr()
        assert end.value.code == 2 and len(said.err.splitlines()) == 1 and said.out == "", said


SUITE = """
name = "bad"
summary = "a folder that is bad"
replicates = 4
test = {min = 110, max = 110}
timeout_seconds = 60
epsilons = [0.1]
target = [{label = "idx", family = "idx"}]
learner = [{learner = "krr_rbf"}]

[[run]]
targets = ["idx"]
learners = ["krr_rbf"]
d = [20]
sizes = {scale = 20, power = 0, ratio = 2, count = 2, max = 100}
"""


def test_reading_imports_neither_scikit_learn_nor_frameworks(root):
    checksum = write_idx(root / "mnist")
    code = (
        "import sys\n"
        "from hierbench.targets.registry import make_target\n"
        f"make_target('idx', 20, 0, checksum='{checksum}')\n"
        "make_target('mnist1d', 40, 0)\n"
        "seen = {'sklearn', 'torch', 'jax'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(seen)}' if seen else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
