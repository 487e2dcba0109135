"""What people signed or answered for: approvals, contexts, licences, policies."""
