//! The one decision about what follows an attempt.
