"""What a job on AWS takes and costs."""
