//! The in-memory store behaves as a store.

#![allow(clippy::unwrap_used)]

mod suite;

macro_rules! tests {
    ($($behaviour:ident)+) => {
        $(#[tokio::test]
        async fn $behaviour() {
            suite::$behaviour(&chat4all_store::Memory::new()).await;
        })+
    };
}

for_each_behaviour!(tests);
