"""What trains the compositor: rendered partners with exact motion, pairs of photographs, plain photographs."""
