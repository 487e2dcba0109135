"""What people signed or vouched for: approvals, contexts, licences, policies."""
