//! No text makes the search for payment codes and bank accounts panic, and what is found has a right check.

#![no_main]

use libfuzzer_sys::fuzz_target;
use opencoin_bank::{Destination, payment_code};

fuzz_target!(|text: &str| {
    for name in payment_code::find(text) {
        assert!(payment_code::find(&payment_code::of_account(&name)).contains(&name));
    }
    if let Ok(destination) = Destination::read(text) {
        assert_eq!(destination.iban.grouped().parse(), Ok(destination.iban));
    }
});
