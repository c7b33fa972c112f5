//! Systems without process groups: a program reads the console like we do.

/// Not told apart.
pub(crate) fn is_ours() -> Option<bool> {
    None
}

/// Takes the place of a terminal's keyboard.
#[derive(Debug)]
pub(crate) struct Keyboard(());

impl Keyboard {
    pub(crate) fn started(&mut self, _: Option<u32>) {}

    pub(crate) async fn interrupted(&mut self) {
        std::future::pending().await
    }

    pub(crate) async fn answer(&mut self) -> bool {
        false
    }
}
