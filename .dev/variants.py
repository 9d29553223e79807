import sys

sys.path.insert(0, "benchmarks/speed")
import gpu_checks as g
from hierbench.learners.engines import sgd_engine as e

if "dynamic" in sys.argv:
    orig = e.program
    e.program = lambda recipe, whole=False: orig(recipe, False)
for d, w, n in ((16, 24, 16), (16, 24, 256), (64, 96, 64)):
    data = [g.squares(d, 2304, s) for s in range(4)]
    curves = [g.Curve(*data[s % 4], (2304,), s) for s in range(n)]
    l = g.make_learner(
        "densenet", width=w, learning_rate=0.01, weight_decay=0.0, device="cuda", steps=128, batch_size=256
    )
    c = g.seconds(lambda: l.fit_curves(curves))
    a, b = (g.seconds(lambda k=k: l.set_params(steps=k).fit_curves(curves)) for k in (128, 128 + 512))
    print(
        sys.argv[1:],
        d,
        w,
        n,
        "us a step and net %.2f" % ((b - a) / 512 / n * 1e6),
        "us a step %.0f" % ((b - a) / 512 * 1e6),
        "first %.1f" % c,
        flush=True,
    )
