import { useCallback, useSyncExternalStore } from 'react';
import type { Observable } from '@waxwing/client-core';

/**
 * What an observable or a live query holds now; the component renders again when it changes. Pass the same object at each
 * render: make a query once, with `useMemo` or outside of the component.
 */
export function useLive<T>(source: Observable<T>): T {
  const subscribe = useCallback((changed: () => void) => source.subscribe(changed), [source]);
  return useSyncExternalStore(subscribe, () => source.getSnapshot());
}
