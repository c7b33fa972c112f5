//! Records, the report model and its renderings.
