"""What a trained net has learned of each level."""
