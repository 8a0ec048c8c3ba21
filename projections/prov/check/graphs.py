"""Directed graphs by number of node: strongly connected components and shortest ways, without recursion."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


def components(successors: Sequence[Sequence[int]]) -> list[int]:
    """For each node the number of its strongly connected component (Tarjan 1972), in linear time."""
    count = len(successors)
    index, low, component = [0] * count, [0] * count, [-1] * count
    stack: list[int] = []
    visited = found = 0
    for root in range(count):
        if index[root]:
            continue
        work = [(root, 0)]
        while work:
            node, following = work.pop()
            if following == 0:
                visited += 1
                index[node] = low[node] = visited
                stack.append(node)
            targets = successors[node]
            for position in range(following, len(targets)):
                target = targets[position]
                if not index[target]:
                    work += [(node, position + 1), (target, 0)]
                    break
                if component[target] < 0:
                    low[node] = min(low[node], index[target])
            else:
                if low[node] == index[node]:
                    while component[node] < 0:
                        component[stack.pop()] = found
                    found += 1
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
    return component


def way_within(successors: Sequence[Sequence[int]], component: Sequence[int], start: int, end: int) -> list[int]:
    """The nodes of a shortest way between two nodes of one component that does not leave it, both included."""
    before = {start: start}
    waiting = deque([start])
    while waiting and end not in before:
        node = waiting.popleft()
        for target in successors[node]:
            if target not in before and component[target] == component[start]:
                before[target] = node
                waiting.append(target)
    nodes = [end]
    while nodes[-1] != start:
        nodes.append(before[nodes[-1]])
    return nodes[::-1]
