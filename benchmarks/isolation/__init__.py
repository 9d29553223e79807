"""Foreign learners in processes of their own: nothing that one does reaches another unit or the score."""
