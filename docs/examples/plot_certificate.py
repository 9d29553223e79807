"""A target and its certificate
============================

A target is drawn from a family by a seed. Its *certificate* says what is known about it before anything is
learned: how much of its variance is of which degree, and what that means for a learner with fixed features.
"""

import matplotlib.pyplot as plt

from hierbench.targets import make_target

# %%
# "squares" is the main family: here two levels in six inputs, which make a polynomial of degree 4.

target = make_target("squares", 6, seed=0, depth=2, width=2)
certificate = target.certificate()

for degree, share in certificate.degree_share.items():
    print(f"share of variance of degree {degree}: {share.value:.3f}")

# %%
# An error is a mean squared error over the variance of the label. A learner that stops at degree 2 is left
# with the share of degree 4. So the error asked for says which degree has to be learned:

for epsilon in (0.9, 0.3, 0.1):
    print(f"error {epsilon}: needs degree {certificate.degree_needed(epsilon)}")

# %%
# The best that any rotation-invariant kernel is predicted to reach with n samples is a staircase, with a step
# wherever n passes the number of polynomials of a degree.

steps = certificate.kernel_floor(target.d)
sizes = [n for n, _ in steps] + [2 * steps[-1][0]]
floors = [floor for _, floor in steps]

figure, axes = plt.subplots(figsize=(5, 3), layout="constrained")
axes.stairs(floors, sizes, baseline=None)
axes.set(xscale="log", xlabel="samples n", ylabel="predicted error of kernels", ylim=(-0.05, 1.05))

# %%
# The parameters of the family and of every target are in ``hierbench list squares``, and
# ``hierbench describe squares --set d=6 --set width=2`` prints the same certificate.
