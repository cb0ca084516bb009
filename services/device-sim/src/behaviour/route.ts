import { uniformNoise } from './seeded-noise.ts';

/** Where a vehicle is. */
interface Position {
  readonly latitude: number;
  readonly longitude: number;
  /** Clockwise from north, 0 to 360. */
  readonly headingDegrees: number;
}

/** A closed way that starts again at its end. */
export interface Route {
  readonly lengthM: number;
  /** The place after so many metres. */
  at(distanceM: number): Position;
}

/** Mean radius of the earth (IUGG). */
const EARTH_RADIUS_M = 6_371_008.8;
const CORNERS = 12;
const RADIUS_MIN_M = 2000;
const RADIUS_MAX_M = 6000;
/** Centres of the areas that vehicles drive in: Berlin, Hamburg, Munich, Cologne, Frankfurt, Leipzig. */
const CENTRES = [
  [52.52, 13.405],
  [53.551, 9.994],
  [48.137, 11.575],
  [50.938, 6.96],
  [50.11, 8.682],
  [51.34, 12.373],
] as const;
const STREAM = { centre: 100, corner: 101, turn: 102 } as const;

/** A seeded ring of straight roads around the centre of a town. */
export function createRoute(seed: number): Route {
  const centre = CENTRES[Math.floor(uniformNoise(seed, STREAM.centre, 0) * CENTRES.length)] ?? CENTRES[0];
  const turn = uniformNoise(seed, STREAM.turn, 0) * 2 * Math.PI;
  // Flat around the centre: within 6 km the error is far below that of a satellite fix.
  const eastM: number[] = [];
  const northM: number[] = [];
  for (let i = 0; i < CORNERS; i++) {
    const radiusM = RADIUS_MIN_M + uniformNoise(seed, STREAM.corner, i) * (RADIUS_MAX_M - RADIUS_MIN_M);
    const angle = turn + (2 * Math.PI * i) / CORNERS;
    eastM.push(radiusM * Math.cos(angle));
    northM.push(radiusM * Math.sin(angle));
  }
  const lengths = eastM.map((east, i) => {
    const next = (i + 1) % CORNERS;
    return Math.hypot((eastM[next] ?? 0) - east, (northM[next] ?? 0) - (northM[i] ?? 0));
  });
  const lengthM = lengths.reduce((sum, length) => sum + length, 0);
  return {
    lengthM,
    at: (distanceM) => {
      let left = distanceM % lengthM;
      let leg = 0;
      while (leg < CORNERS - 1 && left >= (lengths[leg] ?? 0)) left -= lengths[leg++] ?? 0;
      const next = (leg + 1) % CORNERS;
      const share = left / (lengths[leg] ?? 1);
      const deltaEast = (eastM[next] ?? 0) - (eastM[leg] ?? 0);
      const deltaNorth = (northM[next] ?? 0) - (northM[leg] ?? 0);
      const east = (eastM[leg] ?? 0) + deltaEast * share;
      const north = (northM[leg] ?? 0) + deltaNorth * share;
      const heading = (Math.atan2(deltaEast, deltaNorth) * 180) / Math.PI;
      return {
        latitude: centre[0] + toDegrees(north / EARTH_RADIUS_M),
        longitude: centre[1] + toDegrees(east / (EARTH_RADIUS_M * Math.cos(toRadians(centre[0])))),
        headingDegrees: (heading + 360) % 360,
      };
    },
  };
}

function toDegrees(radians: number): number {
  return (radians * 180) / Math.PI;
}

function toRadians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
