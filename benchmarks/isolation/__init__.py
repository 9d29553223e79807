"""What keeps processes apart: foreign learners in processes of their own, signals, orphans."""
