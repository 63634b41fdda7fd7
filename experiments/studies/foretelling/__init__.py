"""What foretells the score after fine-tuning, among policies that are all good."""
