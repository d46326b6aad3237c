"""What each level costs and gives: latency, memory and accuracy per level and runtime."""
