"""Payment takes money and gives it back: never twice, and never for what was called off.

Glossary
    authorize    to set money aside on the buyer's card: it is *held*, for a time
    capture      to take what is held, once, all or part of it
    void         to let go of what is only held
    refund       to give back what was taken, in parts or as a whole
    attempt      one try of the buyer to pay, or one renewal of what would run out
    intent       the event that stands in the log before the gateway is called
    gateway      whoever moves the money: the built-in one, or Stripe
    store credit what the shop owes a buyer, who may pay with it

In: `AuthorizePayment`, `CapturePayment`, `RefundPayment`, `CancelPayment`, `GetBalance`.
Out: `PaymentAuthorized`, `PaymentDeclined`, `PaymentActionRequired`, `PaymentLapsed`,
`PaymentCaptured`, `PaymentRefunded`, and at the end of what is cancelled `PaymentVoided` or the
`PaymentRefunded` of the rest.
Start reading at `calls.py` (what the gateway is asked) and `payment.py` (what can happen), then
`authorization.py`, `capture.py`, `refund.py`, `cancellation.py` (when it may), `answers.py` (what
follows from the gateway's answers), `effects.py` (the calls themselves).
"""
