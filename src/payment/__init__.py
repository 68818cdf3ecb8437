"""Payment takes money and gives it back: never twice, and never for what was called off.

Glossary: to *authorize* is to set money aside on the buyer's card (it is *held*), to *capture* is
to take it, to *void* is to let go of what is only held, to *refund* is to give back what was taken.
An *attempt* is one try of the buyer to pay; an *intent* is the event that stands in the log before
the gateway is called; the *gateway* is whoever moves the money.

In: `AuthorizePayment`, `CapturePayment`, `CancelPayment`.
Out: `PaymentAuthorized`, `PaymentDeclined`, `PaymentActionRequired`, `PaymentCaptured`, and at the
end of what is cancelled either `PaymentVoided` or `PaymentRefunded`.
The rules are in `rules`, the calls of the gateway in `effects`.
"""
