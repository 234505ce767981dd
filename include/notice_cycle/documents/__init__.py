"""The paper of a cycle: forms and notices as PDF/A files, from templates in config/documents."""

from notice_cycle.documents.typesetting import DOCUMENTS, render

__all__ = ["DOCUMENTS", "render"]
