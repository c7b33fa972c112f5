//! Every form in which a secret may appear, and its removal from a stream.
