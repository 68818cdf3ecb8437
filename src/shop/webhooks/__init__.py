"""Webhooks out: what happens to orders, returns and deliveries is told to those who want to know,
as the Standard Webhooks specification has it (https://www.standardwebhooks.com).

Glossary: an *endpoint* is an address that is told, with a secret that signs what it is told; a
*notice* is one thing that happened, as one endpoint is told it (the specification's message): it is
*waiting* until it is *taken*, or has *failed* for three days. The *outbox* finds out who is to be
told; the *sender* tells them.

In: `AddEndpoint`, `EnableEndpoint`, `DisableEndpoint`, `RemoveEndpoint`, `RotateSecret`,
`TryEndpoint`, `ListEndpoints`, `ListNotices`, `SendAgain`. Out: nothing that another context hears.
"""
