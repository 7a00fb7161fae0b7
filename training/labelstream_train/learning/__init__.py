"""What both tiers train with: base models, teachers, figures of epochs, the check before a resume. No torch."""
