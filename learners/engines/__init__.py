"""The engines that learners share."""
