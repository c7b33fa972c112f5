//! Buffers that are lent to the connection and reused: allocating new pages for each took a fifth of an upload's CPU time.

use std::sync::mpsc::{self, Receiver, Sender};

use bytes::Bytes;

/// The buffers of one request body. There are never more than are in use at once.
pub(crate) struct BufferPool {
    capacity: usize,
    back: Sender<Vec<u8>>,
    returned: Receiver<Vec<u8>>,
}

impl BufferPool {
    /// A pool of buffers for `capacity` bytes each.
    pub(crate) fn new(capacity: usize) -> Self {
        let (back, returned) = mpsc::channel();
        Self { capacity, back, returned }
    }

    /// An empty buffer: a returned one if there is any.
    pub(crate) fn empty(&self) -> Vec<u8> {
        let mut chunk = self.returned.try_recv().unwrap_or_else(|_none| Vec::with_capacity(self.capacity));
        chunk.clear();
        chunk
    }

    /// Lends the content to the connection. Its memory returns to the pool when the connection has sent it.
    pub(crate) fn lend(&self, content: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { content, back: self.back.clone() })
    }
}

struct Lent {
    content: Vec<u8>,
    back: Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // At the end of the body the pool is gone already.
        let _ = self.back.send(std::mem::take(&mut self.content));
    }
}

#[cfg(test)]
mod tests {
    use super::BufferPool;

    #[test]
    fn a_buffer_comes_back_empty_with_its_memory() {
        let chunks = BufferPool::new(64);
        let mut first = chunks.empty();
        first.extend_from_slice(b"content");
        let place = first.as_ptr();
        let lent = chunks.lend(first);
        assert_eq!(lent, "content");
        let second = chunks.empty();
        assert_ne!(second.as_ptr(), place);
        drop(lent);
        let again = chunks.empty();
        assert!(again.is_empty() && again.capacity() >= 64 && again.as_ptr() == place);
    }
}
