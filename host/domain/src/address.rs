//! Which addresses may be dialled, by any spelling.
