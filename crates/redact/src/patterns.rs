//! The components of a plan and the engine that finds them, which is built once, when it is needed first.

use std::sync::{Arc, OnceLock};

use crate::component::Component;
use crate::engine::Engine;

/// Shared by all redactors of a plan.
#[derive(Default)]
pub(crate) struct Patterns {
    components: Vec<Component>,
    engine: OnceLock<Engine>,
}

impl std::fmt::Debug for Patterns {
    /// A number only: the components are secrets.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Patterns").field("components", &self.components.len()).finish_non_exhaustive()
    }
}

impl Patterns {
    pub(crate) fn new(components: Vec<Component>) -> Arc<Self> {
        Arc::new(Self { components, engine: OnceLock::new() })
    }

    /// The engine; waits for it if another thread is building it.
    pub(crate) fn engine(&self) -> &Engine {
        self.engine.get_or_init(|| Engine::new(&self.components))
    }
}
