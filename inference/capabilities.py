"""What can be asked of a name, read from its settings: nothing is promised that the way it is started rules out.

Pure. Whether a model is any good at it is another question; that its runtime takes such a request is what is told here.
"""

from __future__ import annotations

from inference.catalog import Catalog, ModelSpec, Served
from inference.contract import Capability

_EMBEDS = frozenset({"--embedding", "--embeddings"})
_RERANKS = frozenset({"--rerank", "--reranking"})
_WITHOUT_TOOLS = "--no-jinja"
"""Without it llama-server knows no template with tools."""


def capabilities_of(catalog: Catalog, served: Served) -> tuple[Capability, ...]:
    """What a served name can be asked for.

    1. Speech goes one way or the other, and is all that such a model does.
    2. A model that is started for embeddings or for ranking does nothing else either.
    3. Otherwise it chats; with tools unless they are switched off, with pictures when it has a projector, and thinking when a virtual
       model over it says so, except for a name that switches it off.
    """
    spec = served.spec
    arguments = {argument.split("=", 1)[0] for argument in spec.extra_args}
    # 1.
    if spec.priority != "llm":
        return ("speech",) if spec.priority == "tts" else ("transcription",)
    # 2.
    if arguments & (_EMBEDS | _RERANKS):
        return ("rerank",) if arguments & _RERANKS else ("embeddings",)
    # 3.
    offers: tuple[tuple[Capability, bool], ...] = (
        ("chat", True),
        ("tools", _WITHOUT_TOOLS not in arguments),
        ("vision", spec.mmproj is not None),
        ("thinking", served.virtual.thinking is not False and _thinks(catalog, spec)),
    )
    return tuple(capability for capability, is_offered in offers if is_offered)


def _thinks(catalog: Catalog, spec: ModelSpec) -> bool:
    names = (served.virtual for served in catalog.served.values() if served.spec.name == spec.name)
    return any(virtual.thinking is not None or virtual.reasoning_effort is not None for virtual in names)
