import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.util.Collection;
import java.util.Iterator;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.core.observation.CompositeObservation;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.ObserveRequest;
import org.eclipse.leshan.core.response.ObserveCompositeResponse;
import org.eclipse.leshan.core.response.ObserveResponse;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.observation.ObservationListener;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.server.registration.RegistrationListener;
import org.eclipse.leshan.server.registration.RegistrationUpdate;
import org.eclipse.leshan.servers.security.InMemorySecurityStore;
import org.eclipse.leshan.servers.security.SecurityInfo;
import org.eclipse.leshan.transport.californium.server.endpoint.CaliforniumServerEndpointsProvider;
import org.eclipse.leshan.transport.californium.server.endpoint.coaps.CoapsServerProtocolProvider;

/** A Leshan server under load: counts what devices do, and observes them all when told to. */
public class LoadPeer {
    private static final AtomicLong registered = new AtomicLong();
    private static final AtomicLong updated = new AtomicLong();
    private static final AtomicLong notified = new AtomicLong();

    /** args: coaps port, number of devices, the key of all in text */
    public static void main(String[] args) throws Exception {
        InMemorySecurityStore keys = new InMemorySecurityStore();
        for (int i = 0; i < Integer.parseInt(args[1]); i++) {
            String name = "load-" + i;
            keys.add(SecurityInfo.newPreSharedKeyInfo(name, name, args[2].getBytes("UTF-8")));
        }
        CaliforniumServerEndpointsProvider.Builder endpoints = new CaliforniumServerEndpointsProvider.Builder(
                new CoapsServerProtocolProvider());
        endpoints.addEndpoint(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), Protocol.COAPS);
        LeshanServerBuilder builder = new LeshanServerBuilder();
        builder.setSecurityStore(keys);
        builder.setEndpointsProviders(endpoints.build());
        LeshanServer server = builder.build();
        count(server);
        server.start();
        System.out.println("ready");
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            if (line.equals("observe")) {
                System.out.println("observed " + observe(server));
            } else if (line.equals("count")) {
                System.out.println("count " + registered + " " + updated + " " + notified);
            } else {
                break;
            }
        }
        System.exit(0);
    }

    private static void count(LeshanServer server) {
        server.getRegistrationService().addListener(new RegistrationListener() {
            public void registered(Registration now, Registration before, Collection<Observation> observations) {
                registered.incrementAndGet();
            }

            public void updated(RegistrationUpdate update, Registration now, Registration before) {
                updated.incrementAndGet();
            }

            public void unregistered(Registration gone, Collection<Observation> observations, boolean expired,
                    Registration replacedBy) {
            }
        });
        server.getObservationService().addListener(new ObservationListener() {
            public void newObservation(Observation observation, Registration registration) {
            }

            public void cancelled(Observation observation) {
            }

            public void onResponse(SingleObservation observation, Registration registration, ObserveResponse response) {
                notified.incrementAndGet();
            }

            public void onResponse(CompositeObservation observation, Registration registration,
                    ObserveCompositeResponse response) {
            }

            public void onError(Observation observation, Registration registration, Exception error) {
            }
        });
    }

    private static long observe(LeshanServer server) throws Exception {
        Semaphore window = new Semaphore(64);
        AtomicLong done = new AtomicLong();
        Iterator<Registration> devices = server.getRegistrationStore().getAllRegistrations();
        while (devices.hasNext()) {
            window.acquire();
            server.send(devices.next(), new ObserveRequest(ContentFormat.SENML_CBOR, 6, 0, 0), 20_000,
                    response -> {
                        if (response.isSuccess()) {
                            done.incrementAndGet();
                        }
                        window.release();
                    }, error -> window.release());
        }
        window.acquire(64);
        return done.get();
    }
}
