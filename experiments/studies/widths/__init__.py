"""Whether smaller networks of the zoo are faster, at the counts that are legal unasked."""
