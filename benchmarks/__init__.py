"""The experiment: suites, runner, store, statistics and the command line."""
