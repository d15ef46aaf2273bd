//! The currencies that money is counted in, by the decimal places of their minor unit.
//!
//! ISO 4217, list one. Codes of funds, metals and tests are no money that a buyer pays with, and left
//! out.

const NO_PLACES: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
const THREE_PLACES: &str = "BHD IQD JOD KWD LYD OMR TND";
const FOUR_PLACES: &str = "CLF UYW";
const TWO_PLACES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN \
    BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL \
    GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR \
    LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB \
    PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP \
    SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";
/// Replaced in 2025 and 2026, and still told of payments made before.
const REPLACED: &str = "ANG BGN";
/// Coinbase counts in it; six places on its chains.
const SIX_PLACES: &str = "USDC";

/// `None`: no currency in use has this code.
pub fn exponent(code: &str) -> Option<u32> {
    let lists = [
        (TWO_PLACES, 2),
        (NO_PLACES, 0),
        (THREE_PLACES, 3),
        (FOUR_PLACES, 4),
        (SIX_PLACES, 6),
        (REPLACED, 2),
    ];
    lists
        .into_iter()
        .find(|(codes, _)| codes.split_ascii_whitespace().any(|known| known == code))
        .map(|(_, places)| places)
}
