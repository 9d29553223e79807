"""hierbench: how many samples does a learner need as the dimension grows, when the target is hierarchical?"""
