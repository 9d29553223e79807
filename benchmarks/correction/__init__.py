"""Backward feature correction, measured at exact population.

``rounds.trace`` runs rounds on one target for a grid of alpha and gives one ``TraceRecord`` for each
(alpha, round, stage, level)::

    from hierbench.benchmarks.correction.exact.rounds import trace
    from hierbench.benchmarks.correction.exact.slopes import slopes

    traces = [trace("projected", {"d": 6, "seed": seed, "width": 2, "rho": 0.5}, alphas=(0.3, 0.1, 0.03),
                    rounds=(4,), variant="corrected") for seed in range(3)]
    slopes(traces, level=1)          # of the angle in alpha, round by round, with intervals

A round has two stages. ``"lower"``: the narrow features of the levels below the top one as they enter
the round (in round 1 from the best quadratic polynomial alone, later as the round before left them).
``"upper"``: the top level, fitted with those fixed. ``relative_mse`` of a lower stage is that of the
model before it. ``rounds`` counts the rounds of each upper level: (2, 3) is two rounds with level 2 on
top, then three with level 3 added. The variants are ``rounds.VARIANTS``: name and one line each.

Records are frozen dataclasses of plain numbers, so that they can be stored as rows and drawn from
rows. Features of learners that were trained on samples are judged by ``feature_error``; ``floors.floors``
gives what layer-wise training of a plain net leaves, by width, as ``FloorRecord``; ``slopes.contractions``
the factor a round shrinks the error by.
"""
