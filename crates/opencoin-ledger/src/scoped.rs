//! The future of a closure that borrows its argument, such as a connection with an open transaction.
//!
//! `for<'c> Fn(&'c mut Connection) -> Scoped<'a, 'c, T>` is a closure whose future may borrow the connection
//! (`'c`) and the closure's captures (`'a`). An `AsyncFn` means the same, but a bound cannot require that its
//! future is [`Send`].

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A boxed future that may borrow for `'c` and for the longer `'a`.
pub struct Scoped<'a, 'c, T> {
    future: Pin<Box<dyn Future<Output = T> + Send + 'c>>,
    /// Tells the compiler that `'a` outlives `'c`.
    scope: PhantomData<&'c &'a ()>,
}

/// Boxes a future.
pub fn scoped<'a: 'c, 'c, T>(future: impl Future<Output = T> + Send + 'c) -> Scoped<'a, 'c, T> {
    Scoped {
        future: Box::pin(future),
        scope: PhantomData,
    }
}

impl<T> Future for Scoped<'_, '_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.future.as_mut().poll(context)
    }
}

/// Prints nothing of the future, which may hold secrets.
impl<T> std::fmt::Debug for Scoped<'_, '_, T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Scoped").finish_non_exhaustive()
    }
}
