//! Messages that wait for one receiver.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A queue with a bound. If it is full the oldest gives way: the newest says more of how things are.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: Mutex<VecDeque<T>>,
    most: usize,
    added: Notify,
}

impl<T> Queue<T> {
    /// An empty queue for at most so many.
    pub fn new(most: usize) -> Self {
        Self { waiting: Mutex::default(), most: most.max(1), added: Notify::new() }
    }

    /// Adds one. The oldest, if there was no room.
    pub fn push(&self, item: T) -> Option<T> {
        let mut waiting = self.waiting();
        let dropped = if waiting.len() >= self.most { waiting.pop_front() } else { None };
        waiting.push_back(item);
        drop(waiting);
        self.added.notify_one();
        dropped
    }

    /// Takes the oldest, as soon as there is one.
    pub async fn next(&self) -> T {
        loop {
            // A note that comes between the look and the wait is kept.
            if let Some(item) = self.waiting().pop_front() {
                return item;
            }
            self.added.notified().await;
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting().len()
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_oldest_gives_way_and_the_others_come_in_order() {
        let queue = Queue::new(2);
        let dropped: Vec<_> = (1..=4).map(|number| queue.push(number)).collect();
        assert_eq!(dropped, [None, None, Some(1), Some(2)]);
        assert_eq!((queue.next().await, queue.next().await, queue.len()), (3, 4, 0));
        assert!(tokio::time::timeout(Duration::from_millis(20), queue.next()).await.is_err());
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let queue = std::sync::Arc::new(Queue::new(2));
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.next().await }
        });
        tokio::task::yield_now().await;
        queue.push(7);
        assert_eq!(tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap(), 7);
    }
}
