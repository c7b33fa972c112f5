//! Looks at what is live, and the judgement over them.
