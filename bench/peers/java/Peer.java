import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Locale;
import javax.xml.crypto.MarshalException;
import javax.xml.crypto.dsig.XMLSignatureException;
import org.apache.ws.security.WSSecurityException;
import org.apache.xml.security.exceptions.XMLSecurityException;
import org.xml.sax.SAXException;

/** Peer santuario|santuario-each|jdk|wss4j DIR: see ../README.md for the commands on standard input. The property peer.version is its answer to version. */
public final class Peer {
    private Peer() {}

    public static void main(String[] args) throws Exception {
        Path dir = Path.of(args[1]);
        Service service = new Service(args[0], dir);
        byte[] request = Files.readAllBytes(dir.resolve("request.xml"));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                System.out.println(obey(service, request, line.split(" ")));
            } catch (Refused | SAXException | XMLSecurityException | WSSecurityException | GeneralSecurityException
                    | MarshalException | XMLSignatureException e) {
                System.out.println("refused: " + e.getMessage().lines().findFirst().orElse(""));
            }
        }
    }

    private static String obey(Service service, byte[] request, String[] words) throws Exception {
        switch (words[0]) {
            case "version":
                return System.getProperty("peer.version");
            case "answer":
                Files.write(Path.of(words[2]), service.answer(Files.readAllBytes(Path.of(words[1]))));
                return "ok";
            case "run":
                int n = Integer.parseInt(words[1]);
                long start = Cpu.nanoseconds();
                for (int i = 0; i < n; i++) service.answer(request);
                return String.format(Locale.ROOT, "%.1f", (Cpu.nanoseconds() - start) / 1e3 / n);
            default:
                throw new IllegalArgumentException("commands are: version, answer FILE OUT, run N");
        }
    }
}
