//! Looking for taken keys, for all who ask at a time in one go.
//!
//! A look-up costs the way to the database and back much more than the look. So there is one under way at a time, and
//! all that is asked meanwhile goes into the next: an idle store answers each at once, a busy one many together.

use std::collections::HashSet;
use std::future::Future;

use tokio::sync::{mpsc, oneshot};

use super::error::StoreError;
use crate::user::Key;

/// The most keys that are looked for in one go.
const KEYS: usize = 512;

/// How many may wait to be asked for.
const QUEUE: usize = 4096;

struct Question {
    keys: Vec<Key>,
    reply: oneshot::Sender<Result<Vec<Key>, StoreError>>,
}

/// Where to ask. The task behind it ends with the last clone.
#[derive(Clone, Debug)]
pub(super) struct Lookups(mpsc::Sender<Question>);

impl Lookups {
    /// Starts the task that asks; `ask` gives those of the keys that are taken.
    pub(super) fn start<F>(ask: impl Fn(Vec<Key>) -> F + Send + 'static) -> Lookups
    where
        F: Future<Output = Result<Vec<Key>, StoreError>> + Send,
    {
        let (sender, mut waiting) = mpsc::channel::<Question>(QUEUE);
        tokio::spawn(async move {
            while let Some(first) = waiting.recv().await {
                let mut count = first.keys.len();
                let mut questions = vec![first];
                while count < KEYS
                    && let Ok(next) = waiting.try_recv()
                {
                    count += next.keys.len();
                    questions.push(next);
                }
                // Who has left needs no answer.
                questions.retain(|question| !question.reply.is_closed());
                let keys = questions.iter().flat_map(|question| question.keys.iter().cloned()).collect();
                answer(questions, ask(keys).await);
            }
        });
        Lookups(sender)
    }

    /// Which of these keys are taken, in the order given.
    pub(super) async fn taken(&self, keys: &[Key]) -> Result<Vec<Key>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let question = Question { keys: keys.to_vec(), reply };
        self.0.send(question).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

fn answer(questions: Vec<Question>, taken: Result<Vec<Key>, StoreError>) {
    let taken = taken.map(|keys| keys.into_iter().collect::<HashSet<Key>>());
    for Question { mut keys, reply } in questions {
        let answer = match &taken {
            Ok(taken) => {
                keys.retain(|key| taken.contains(key));
                Ok(keys)
            }
            Err(error) => Err(error.clone()),
        };
        // Who asked may have left meanwhile.
        let _ = reply.send(answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tokio::sync::Semaphore;

    fn key(value: &str) -> Key {
        Key { kind: "email".to_owned(), value: value.to_owned() }
    }

    #[tokio::test]
    async fn what_is_asked_meanwhile_is_asked_together_and_answered_apart() {
        let (turns, asked) = (Arc::new(Semaphore::new(0)), Arc::<Mutex<Vec<usize>>>::default());
        let (gate, counts) = (turns.clone(), asked.clone());
        let lookups = Lookups::start(move |keys: Vec<Key>| {
            counts.lock().unwrap().push(keys.len());
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(keys.into_iter().filter(|key| key.value.starts_with('t')).collect())
            }
        });
        let ask = |values: &'static [&'static str]| {
            let lookups = lookups.clone();
            tokio::spawn(async move {
                let keys: Vec<Key> = values.iter().map(|value| key(value)).collect();
                lookups.taken(&keys).await.unwrap().into_iter().map(|key| key.value).collect::<Vec<_>>()
            })
        };
        let first = ask(&["t1"]);
        while asked.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let rest = [ask(&["a", "t2"]), ask(&["b"]), ask(&["t3", "t2"])];
        // On one thread, all of them have asked when this task is run again.
        tokio::task::yield_now().await;
        turns.add_permits(2);
        assert_eq!(first.await.unwrap(), ["t1"]);
        let mut answers = Vec::new();
        for task in rest {
            answers.push(task.await.unwrap());
        }
        assert_eq!(answers, [vec!["t2".to_owned()], vec![], vec!["t3".to_owned(), "t2".to_owned()]]);
        assert_eq!(*asked.lock().unwrap(), [1, 5]);
    }

    #[tokio::test]
    async fn an_error_is_everybodys() {
        let lookups = Lookups::start(|_| async { Err(StoreError::Busy("test")) });
        assert!(matches!(lookups.taken(&[key("a")]).await, Err(StoreError::Busy("test"))));
    }
}
