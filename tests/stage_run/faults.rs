//! Faults that an attack on `stage-run` found, by what goes wrong.

mod disk;
mod dry_runs;
mod killed;
mod promises;
mod runs;
mod undos;
mod values;
