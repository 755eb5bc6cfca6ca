// A text as a square that phones read. Dark on light in every theme, with the quiet edge that readers need.
import { useQuery } from '@tanstack/react-query';

export function Qr({ text, label }: { text: string; label: string }) {
  // Hardly ever needed, so fetched when it is.
  const { data } = useQuery({ queryKey: ['qr', text], queryFn: async () => (await import('uqr')).encode(text, { ecc: 'M', border: 4 }), staleTime: Infinity, gcTime: 0 });
  if (!data) return null;
  const path = data.data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
  return (
    <svg role="img" aria-label={label} viewBox={`0 0 ${data.size} ${data.size}`} width={196} height={196} shapeRendering="crispEdges">
      <rect width="100%" height="100%" fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
