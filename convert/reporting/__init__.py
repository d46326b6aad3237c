"""What a conversion tells people: model card, record, summary, comparison."""
